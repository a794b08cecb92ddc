import { limits, type Logger } from '@muster/shared';

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
}

/** As Node 20 has it, and its types do not. */
interface Reporter {
  excludeNetwork?: boolean;
  getReport(): object;
}

/** Files and connections that this process may have open; null where the system has no such limit. */
export function openFileLimit(): number | null {
  const report: Reporter = process.report;
  const before = report.excludeNetwork;
  // Else every address of this machine would be looked up.
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as Report;
  report.excludeNetwork = before ?? false;
  const limit = Number(userLimits?.open_files?.soft);
  return Number.isSafeInteger(limit) ? limit : null;
}

/** Where connections take all that there are, libzmq ends the process. */
export function warnOfFewFiles(logger: Logger, limit = openFileLimit()): void {
  const wanted = limits.openFilesWanted.value;
  if (limit !== null && limit < wanted)
    logger.warn(
      { limit, wanted },
      'whoever opens as many connections as this process may have files stops it; raise ulimit -Hn',
    );
}
