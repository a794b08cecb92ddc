import { existsSync } from 'node:fs';
import { test } from '@jest/globals';
import { skipBecause, type RegisterTest } from '@muster/shared/testkit';

/** Chromium brings a Vulkan driver in software: slow, but the whole WebGPU path. */
const CHROMIUM = '/usr/lib/chromium';
const DRIVER = `${CHROMIUM}/vk_swiftshader_icd.json`;

/** What a process that is to find the driver is started with. */
export const softwareGpu = { VK_DRIVER_FILES: DRIVER, VK_ICD_FILENAMES: DRIVER, LD_LIBRARY_PATH: CHROMIUM };

export const gpuTest: RegisterTest = existsSync(DRIVER) ? test : skipBecause(`no software Vulkan driver at ${DRIVER}`);
