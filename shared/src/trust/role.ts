/** admin: everything; submitter: own tasks; provider: works on leases; viewer: reads only. */
export const roles = ['admin', 'submitter', 'provider', 'viewer'] as const;
export type Role = (typeof roles)[number];

export const isRole = (text: string): text is Role => (roles as readonly string[]).includes(text);
