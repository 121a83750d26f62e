import { describe, expect, it } from "vitest";
import { headerText, userOf } from "../gateway/identity.ts";

/** As Node hands over what a client wrote in UTF-8. */
const asReceived = (text: string) => Buffer.from(text, "utf8").toString("latin1");

describe("a user's name in a header", () => {
  it.each(["Zoë", "李雷", "Ada"])("written in UTF-8 is the same as in a body: %s", (name) => {
    expect(userOf({ tenant: "acme" }, { "x-throughline-user": asReceived(name) })).toBe(name);
  });

  it("written in Latin-1 is read as such", () => {
    expect(headerText({ "x-throughline-user": "Zoë" }, "x-throughline-user")).toBe("Zoë");
  });
});
