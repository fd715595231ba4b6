/** Whether a text has a format that custom resources are checked for; formats nobody knows are not checked. */
export function hasFormat(text: string, format: string): boolean {
  return formats[format.replaceAll("-", "")]?.(text) ?? true;
}

type Check = (text: string) => boolean;

const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text);

const ipv4 = matches(/^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/);
const base64 = matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/);
const uuid = "^[0-9a-f]{8}-?[0-9a-f]{4}-?";

/** Names without dashes, as upstream compares them. */
const formats: Readonly<Record<string, Check>> = {
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  byte: base64,
  cidr: isCidr,
  creditcard: matches(/^\d{13,19}$/),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && isRealDate(text),
  datetime: (text) =>
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text) &&
    isRealDate(text.slice(0, 10)),
  duration: matches(
    /^[+-]?(?:\d+(?:\.\d*)?\s*(?:ns|us|µs|ms|s|m|h|d|w|nanos?|micros?|millis?|seconds?|minutes?|hours?|days?|weeks?)\s*)+$|^[+-]?0$/,
  ),
  email: matches(/^[^\s@<>]+@[^\s@<>]+$/),
  hexcolor: matches(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  hostname: matches(
    /^(?=.{1,253}$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62})(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62}))*\.?$/,
  ),
  ipv4,
  ipv6: isIpv6,
  isbn10: matches(/^(?:\d[- ]?){9}[\dX]$/),
  isbn13: matches(/^(?:\d[- ]?){13}$/),
  mac: matches(
    /^(?:[0-9a-fA-F]{2}[:-]){5,7}[0-9a-fA-F]{2}$|^(?:[0-9a-fA-F]{4}\.){2,3}[0-9a-fA-F]{4}$/,
  ),
  rgbcolor: matches(/^rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)$/),
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  uri: isUri,
  uuid: matches(new RegExp(`${uuid}[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, "i")),
  uuid3: matches(new RegExp(`${uuid}3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, "i")),
  uuid4: matches(new RegExp(`${uuid}4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$`, "i")),
  uuid5: matches(new RegExp(`${uuid}5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$`, "i")),
};

function isRealDate(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

function isUri(text: string): boolean {
  return text.startsWith("/") ? !/\s/.test(text) : URL.canParse(text);
}

function isIpv6(text: string): boolean {
  return text.includes(":") && !/[[\]%]/.test(text) && URL.canParse(`http://[${text}]/`);
}

function isCidr(text: string): boolean {
  const [address = "", bits = "", ...more] = text.split("/");
  if (more.length > 0 || !/^\d{1,3}$/.test(bits)) return false;
  return (ipv4(address) && Number(bits) <= 32) || (isIpv6(address) && Number(bits) <= 128);
}
