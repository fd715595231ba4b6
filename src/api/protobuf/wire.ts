import { badRequest } from "#api/status.ts";

/** The four wire types that proto2 messages of the API use. */
export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
const wireFixed32 = 5;

/** Reads one message of the protobuf wire format. Throws a 400 on bytes that are not one. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #position: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#position = 0;
    this.#end = bytes.length;
  }

  get done(): boolean {
    return this.#position >= this.#end;
  }

  /** The next field's number and wire type. */
  tag(): { readonly number: number; readonly wire: number } {
    const tag = this.#size();
    const number = Math.floor(tag / 8);
    if (number === 0) throw malformed("a field has the number 0");
    return { number, wire: tag % 8 };
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value & 0xffff_ffff_ffff_ffffn;
    }
    throw malformed("a number has more than ten bytes");
  }

  bytes(): Uint8Array {
    return this.#take(this.#size());
  }

  double(): number {
    const taken = this.#take(8);
    return new DataView(taken.buffer, taken.byteOffset, 8).getFloat64(0, true);
  }

  skip(wire: number): void {
    switch (wire) {
      case wireVarint:
        this.varint();
        return;
      case wireFixed64:
        this.#take(8);
        return;
      case wireBytes:
        this.bytes();
        return;
      case wireFixed32:
        this.#take(4);
        return;
      default:
        throw malformed(`wire type ${wire} is not known`);
    }
  }

  /** A tag or a length: a number of 32 bits. */
  #size(): number {
    let value = 0;
    let weight = 1;
    for (let count = 0; count < 5; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
      weight *= 128;
    }
    throw malformed("a length has more than five bytes");
  }

  #byte(): number {
    const byte = this.#bytes[this.#position];
    if (byte === undefined) throw malformed("it ends too early");
    this.#position++;
    return byte;
  }

  #take(length: number): Uint8Array {
    if (length > this.#end - this.#position) throw malformed("it ends too early");
    const taken = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return taken;
  }
}

/** Collects the fields of one message. */
export class WireWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  varintField(number: number, value: bigint): void {
    this.#tag(number, wireVarint);
    this.#varint(BigInt.asUintN(64, value));
  }

  doubleField(number: number, value: number): void {
    this.#tag(number, wireFixed64);
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  bytesField(number: number, value: Uint8Array): void {
    this.#tag(number, wireBytes);
    this.#varint(BigInt(value.length));
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  #tag(number: number, wire: number): void {
    this.#varint(BigInt(number * 8 + wire));
  }

  #varint(value: bigint): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

export function malformed(why: string): Error {
  return badRequest(`Cannot decode the protobuf body: ${why}`);
}
