/** Whether an address is one of a range written as `10.0.0.0/8` or `fd00::/8`; false for what is neither. */
export function isWithin(address: string, range: string): boolean {
  const [network = "", bits = ""] = range.split("/");
  const [one, other] = [bitsOf(address), bitsOf(network)];
  const length = Number(bits);
  return (
    one !== undefined && one.length === other?.length && one.startsWith(other.slice(0, length))
  );
}

function bitsOf(address: string): string | undefined {
  if (!address.includes(":")) {
    const parts = address.split(".");
    return parts.length === 4 ? parts.map((part) => binary(Number(part), 8)).join("") : undefined;
  }
  const [head = "", tail] = address.split("::");
  const groups = (text: string): string[] => text.split(":").filter(Boolean);
  const [first, last] = [groups(head), groups(tail ?? "")];
  const missing = tail === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...Array.from({ length: Math.max(0, missing) }, () => "0"), ...last];
  return all.length === 8
    ? all.map((group) => binary(Number.parseInt(group, 16), 16)).join("")
    : undefined;
}

function binary(value: number, length: number): string {
  return value.toString(2).padStart(length, "0");
}
