/** A line of a made-up PDF: its text, its size in points, and how far below the line before it stands. */
export type PdfLine = { readonly text: string; readonly size?: number; readonly down?: number };

/**
 * A small but real PDF: one page per list of lines, text in Helvetica. `cjk` writes the text through the predefined
 * character map UniGB-UCS2-H, as older Chinese programs do: without that map no reader finds a letter.
 */
export function makePdf(
  pages: readonly (readonly PdfLine[])[],
  options: { readonly title?: string; readonly cjk?: boolean; readonly encrypted?: boolean } = {},
): Buffer {
  const objects: string[] = [];
  const add = (body: string) => objects.push(body);
  const font = 3;
  const firstPage = options.cjk === true ? 6 : 4;
  add("<< /Type /Catalog /Pages 2 0 R >>");
  add(
    `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, index) => `${firstPage + 2 * index} 0 R`).join(" ")}] >>`,
  );
  if (options.cjk === true) {
    add("<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [4 0 R] >>");
    add(
      "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /FontDescriptor 5 0 R /DW 1000 >>",
    );
    add(
      "<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>",
    );
  } else add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
  for (const [index, lines] of pages.entries()) {
    const content = toContent(lines, options.cjk === true);
    add(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 ${font} 0 R >> >> /Contents ${firstPage + 2 * index + 1} 0 R >>`,
    );
    add(`<< /Length ${Buffer.byteLength(content, "latin1")} >>\nstream\n${content}\nendstream`);
  }
  const extra: string[] = [];
  if (options.title !== undefined) {
    add(`<< /Title (${options.title}) >>`);
    extra.push(`/Info ${objects.length} 0 R`);
  }
  if (options.encrypted === true) {
    const key = "00".repeat(32);
    add(`<< /Filter /Standard /V 1 /R 2 /O <${key}> /U <${key}> /P -4 >>`);
    extra.push(`/Encrypt ${objects.length} 0 R /ID [<${"11".repeat(16)}> <${"11".repeat(16)}>]`);
  }
  return assembled(objects, extra.join(" "));
}

function toContent(lines: readonly PdfLine[], cjk: boolean): string {
  const shown = lines.map(({ text, size = 11, down = 14 }) => {
    const string = cjk ? `<${Buffer.from(text, "utf16le").swap16().toString("hex")}>` : `(${escaped(text)})`;
    return `/F1 ${size} Tf 0 -${down} Td ${string} Tj`;
  });
  return `BT 72 740 Td ${shown.join("\n")} ET`;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\()]/gu, (mark) => `\\${mark}`);
}

function assembled(objects: readonly string[], extra: string): Buffer {
  let file = "%PDF-1.4\n";
  const offsets: number[] = [];
  for (const [index, body] of objects.entries()) {
    offsets.push(Buffer.byteLength(file, "latin1"));
    file += `${index + 1} 0 obj\n${body}\nendobj\n`;
  }
  const start = Buffer.byteLength(file, "latin1");
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}`;
  file += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${extra} >>\nstartxref\n${start}\n%%EOF\n`;
  return Buffer.from(file, "latin1");
}
