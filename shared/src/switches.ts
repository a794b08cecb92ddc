/** Does this value of an environment variable mean on? '', 0, false, no and off mean off. */
export const isOn = (value = ''): boolean => !['', '0', 'false', 'no', 'off'].includes(value.toLowerCase());
