import { limits, type Logger } from '@muster/shared';

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
}

/** Node 20 has `excludeNetwork`, but its types do not. */
interface Reporter {
  excludeNetwork?: boolean;
  getReport(): object;
}

/** Files and connections that this process may have open; null where the system has no such limit. */
export function openFileLimit(): number | null {
  const report: Reporter = process.report;
  const before = report.excludeNetwork;
  // Otherwise the report would look up the name of every address of this machine.
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as Report;
  report.excludeNetwork = before ?? false;
  const limit = Number(userLimits?.open_files?.soft);
  return Number.isSafeInteger(limit) ? limit : null;
}

/** libzmq aborts the process when connections use up its file descriptors. */
export function warnOfFewFiles(logger: Logger, limit = openFileLimit()): void {
  const wanted = limits.openFilesWanted.value;
  if (limit !== null && limit < wanted)
    logger.warn(
      { limit, wanted },
      'whoever opens as many connections as this process may have files stops it; raise ulimit -Hn',
    );
}
