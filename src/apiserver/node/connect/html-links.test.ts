import { deepEqual, equal, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { HtmlLinks } from "#apiserver/node/connect/html-links.ts";
import { spliceOf } from "#apiserver/node/connect/page-links.ts";

const mount = { prefix: "/p/proxy", hosts: ["10.0.0.5:8080"], clientHost: "api:6443" };
const long = "A".repeat(300_000);

const pages: readonly (readonly [before: string, after: string])[] = [
  [`<a href="/rewriteme">test</a>`, `<a href="/p/proxy/rewriteme">test</a>`],
  [`<A\tHREF = '/x?a=1&amp;b=2#c' id=y>`, `<A\tHREF = '/p/proxy/x?a=1&amp;b=2#c' id=y>`],
  [
    `<img alt src=/a.png><img src=/b.png/>`,
    `<img alt src=/p/proxy/a.png><img src=/p/proxy/b.png/>`,
  ],
  [`<a id="&amp;" href=" /x">`, `<a id="&amp;" href=" /p/proxy/x">`],
  [`<a href="&#x2F;x&sol;y">`, `<a href="/p/proxy&#x2F;x&sol;y">`],
  [`<link href="http&colon;//10.0.0.5:8080/x">`, `<link href="/p/proxy/x">`],
  [
    `<script src="http&#58;&#47;&#47;api:6443&#47;x">`,
    `<script src="http&#58;&#47;&#47;api:6443/p/proxy&#47;x">`,
  ],
  [
    `<video poster="/p" src="/v" title="/t"><source src='/s'></video>`,
    `<video poster="/p/proxy/p" src="/p/proxy/v" title="/t"><source src='/p/proxy/s'></video>`,
  ],
  [
    `<blockquote cite=/q><button formaction="/f"><object classid="/c" data="/d" usemap="#m">`,
    `<blockquote cite=/p/proxy/q><button formaction="/p/proxy/f"><object classid="/p/proxy/c" data="/p/proxy/d" usemap="#m">`,
  ],
  [
    `<!doctype html><html><base href="/app/"><form action="/go" method="post"></form></html>`,
    `<!doctype html><html><base href="/p/proxy/app/"><form action="/p/proxy/go" method="post"></form></html>`,
  ],
  [
    `<script src="/s.js">document.write("<a href='/x'>")</script><a href=/y>`,
    `<script src="/p/proxy/s.js">document.write("<a href='/x'>")</script><a href=/p/proxy/y>`,
  ],
  [
    `<img src="data:image/png;base64,${long}"><a href="/y">`,
    `<img src="data:image/png;base64,${long}"><a href="/p/proxy/y">`,
  ],
  [`<img src="/${long}"><a href="/y">`, `<img src="/p/proxy/${long}"><a href="/p/proxy/y">`],
];

const untouched: readonly string[] = [
  ``,
  `plain < text & more > text &#47; \r\n\0`,
  `<a href="kubelet.log"><a href="../up"><a href="?q"><a href="#here"><a href=""><a href><a>`,
  `<a href="https://example.com/x"><a href="//example.com/x"><a href="mailto:a@b/c"><a href="javascript:'/x'">`,
  `<a href="/p/proxy"><a href="/p/proxy/x"><a href="/p%2Fproxy/x"><a href="/p/proxy?x">`,
  `<a title="/x" data-href="/x"><p href="/x"></a href="/x"><averylongtagname href="/x"><a averylongattribute="/x">`,
  `<!-- <a href="/x"> --><style>a::before { content: '<a href="/x">' }</style><title><a href="/x"></title>`,
  `<textarea><a href="/x"></textarea><iframe><a href="/x"></iframe><noembed><a href="/x"></noembed>`,
  `<a href="/x`,
  `<a href=/x`,
  `<a hre`,
  `<a href='`,
  `<!-- <a href="/x">`,
];

const table = [...pages, ...untouched.map((page) => [page, page] as const)];

test("HtmlLinks changes the URLs of tags and nothing else", () => {
  deepEqual(
    table.map(([before]) => passed([before])),
    table.map(([, after]) => after),
  );
});

test("HtmlLinks gives the same page wherever its pieces end", () => {
  const random = seededRandom(7);
  for (const [before, after] of table) {
    if (before.length < 1_000) {
      equal(passed(before.split("")), after);
      for (let at = 0; at <= before.length; at++) {
        equal(passed([before.slice(0, at), before.slice(at)]), after);
      }
    }
    for (let round = 0; round < 20; round++) equal(passed(pieces(before, random)), after);
  }
});

test("HtmlLinks reads tag soup alike in one piece and in many, and only adds the prefix to it", () => {
  const random = seededRandom(8);
  for (let round = 0; round < 300; round++) {
    const soup = Array.from({ length: 60 }, () => scraps[Math.floor(random() * scraps.length)]);
    const page = soup.join("");
    const whole = passed([page]);
    equal(passed(pieces(page, random)), whole, page);
    equal(whole.replaceAll("/p/proxy", ""), page);
  }
});

const scraps = [
  `< > / = " ' & ; ! -- --> ]]> <a href src= ="/x" ='/x' =/x> &#x2f; &sol <img </a> <svg>`.split(
    " ",
  ),
  `<!-- <![CDATA[ <?x <!doctype <script> </script <style> </style> <title> </title>`.split(" "),
  [" ", "\n", "\0", "\u00ff", "<a ", "<textarea ", "</textarea>", "<plaintex", "http://other/"],
].flat();

test("HtmlLinks leaves bytes of any character set as they are", () => {
  const random = seededRandom(9);
  const noise = Buffer.from(Array.from({ length: 20_000 }, () => Math.floor(random() * 256)));
  const page = Buffer.concat([Buffer.from('<a title="'), noise, Buffer.from('\'"><a href="/x">')]);
  const text = page.toString("latin1");
  const after = Buffer.from(passed(pieces(text, random)), "latin1");
  deepEqual(after, Buffer.from(text.replace(/\/x">$/, '/p/proxy/x">'), "latin1"));
});

test("HtmlLinks holds back no more than the beginning of one URL", () => {
  for (const opening of [`<a href="/`, `<a href=`, `<!-- `, `<script>`, `<a `, `<`, `</a `, `x`]) {
    const links = new HtmlLinks((url) => spliceOf(url, mount));
    let held = links.write(opening).length - opening.length;
    for (let piece = 0; piece < 100; piece++) {
      held += links.write("b".repeat(1_000)).length - 1_000;
      ok(held >= -5_100, `${opening} holds ${-held}`);
    }
  }
});

function passed(list: readonly string[]): string {
  const links = new HtmlLinks((url) => spliceOf(url, mount));
  return [...list.map((piece) => links.write(piece)), links.end()].join("");
}

function pieces(text: string, random: () => number): string[] {
  const list: string[] = [];
  let at = 0;
  while (at < text.length) {
    const length = Math.ceil(random() ** 4 * Math.max(20, text.length / 3));
    list.push(text.slice(at, at + length));
    at += length;
  }
  return list;
}
