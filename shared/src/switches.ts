/** Does a variable of the environment switch on what it names? Off are nothing, 0, false, no and off. */
export const isOn = (value = ''): boolean => !['', '0', 'false', 'no', 'off'].includes(value.toLowerCase());
