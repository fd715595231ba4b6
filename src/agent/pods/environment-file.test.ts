import { deepEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { variableInFile } from "#agent/pods/environment-file.ts";

test("variableInFile() reads quoted values as upstream does", () => {
  const text = [
    "# settings",
    "",
    "  A='one' # comment",
    "B='$HOME \\n \"x\"'",
    "C='first",
    "# second",
    "third'",
    "D= 'no'",
    "E=''",
    "F='last'",
  ].join("\n");
  const values = ["A", "B", "C", "D", "E", "F", "G"].map((name) => variableInFile(text, name));
  deepEqual(values, ["one", '$HOME \\n "x"', "first\n# second\nthird", "", "", "last", ""]);
});

test("variableInFile() says in which line a file is wrong", () => {
  const read = (text: string) => () => variableInFile(text, "Z");
  throws(read("A='1'\nB"), /at line 2: missing '='/);
  throws(read("='1'"), /at line 1: empty variable name/);
  throws(read("A ='1'"), /at line 1: whitespace before '=' is not allowed/);
  throws(read("A=1"), /at line 1: value must be enclosed in single quotes/);
  throws(read("A='1' 2"), /at line 1: unexpected content after closing quote/);
  throws(read("\nA='1\n2"), /starting at line 2: unclosed single quote/);
});
