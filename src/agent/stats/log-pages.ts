import { createReadStream } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { badRequest } from "#api/status.ts";
import { type Page, pageNotFound } from "#agent/streams/page.ts";

/** `/logs/…`: the files below the node's folder of logs, and lists of what is in its folders. */
export async function logPage(root: string, path: string): Promise<Page> {
  const wanted = join(root, namesOf(path));
  try {
    const [real, realRoot] = await Promise.all([realpath(wanted), realpath(root)]);
    // A link leads no further than the folder itself.
    if (real !== realRoot && !real.startsWith(`${realRoot}${sep}`)) throw pageNotFound();
    const info = await stat(real);
    if (info.isDirectory()) return await listing(real);
    if (!info.isFile()) throw pageNotFound();
    return { contentType: "text/plain; charset=utf-8", body: createReadStream(real) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") throw pageNotFound();
    throw error;
  }
}

function namesOf(path: string): string {
  try {
    const names = decodeURIComponent(path).split("/").filter(Boolean);
    if (!names.includes("..") && !path.includes("\0")) return names.join("/");
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  throw badRequest("invalid URL path");
}

async function listing(folder: string): Promise<Page> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.map((entry) => entry.name + (entry.isDirectory() ? "/" : "")).toSorted();
  const links = names.map((name) => `<a href="${escaped(encodeURI(name))}">${escaped(name)}</a>\n`);
  return { contentType: "text/html; charset=utf-8", body: `<pre>\n${links.join("")}</pre>\n` };
}

function escaped(text: string): string {
  const signs: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&#34;",
  };
  return text.replaceAll(/[&<>"]/g, (sign) => signs[sign] ?? sign);
}
