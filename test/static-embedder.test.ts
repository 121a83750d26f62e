import { createHash } from "node:crypto";
import { cp, mkdtemp, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { createStaticEmbedder } from "../memory/static-embedder.ts";
import { maxCharacters, maxWords } from "../memory/wordpiece.ts";

const embedder = await createStaticEmbedder();
const weights = new URL("../memory/static-embedder/", import.meta.url);
const nothing = new Float32Array(embedder.dimensions);

function similarity(one: string, other: string): number {
  const [a, b] = [embedder.embedOne(one), embedder.embedOne(other)];
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

/** What it is about, the text, one that should be nearer, one that should be farther. */
const pairs = [
  [
    "English, no word shared",
    "My puppy loves the park",
    "Dogs enjoy walking outside",
    "The bank raised its interest rates",
  ],
  [
    "English, a paraphrase",
    "How do I repair a flat bicycle tyre?",
    "fixing a punctured bike wheel",
    "How do I bake a flat cake?",
  ],
  [
    "English, work",
    "She was promoted at her job",
    "her career is advancing at the company",
    "she was hiking at the lake",
  ],
  ["English, food", "I am allergic to peanuts", "nuts make me sick", "I am moving to Boston"],
  [
    "English, a misspelling",
    "Who is Evangeline Okonkwo?",
    "Evangelin Okonkwo is my dentist",
    "Theodore Blackwood is my dentist",
  ],
  ["English, an unknown name", "What does Zyrphia like?", "Zyrphia likes tea", "Quandor likes tea"],
  [
    "German",
    "Ich fahre jeden Tag mit der Straßenbahn zur Arbeit",
    "Die Strassenbahnen sind morgens voll",
    "Der Apfelkuchen schmeckt meiner Oma",
  ],
  ["German, umlauts", "Meine Lieblingsfarbe ist grün", "Lieblingsfarben: grün und blau", "Mein Zahnarzt heißt Müller"],
  [
    "German, a compound",
    "Wann läuft meine Krankenversicherung aus?",
    "Die Krankenversicherungen werden teurer",
    "Wann fährt mein nächster Zug ab?",
  ],
  [
    "Spanish",
    "Mi comida favorita es la paella valenciana",
    "La paella lleva arroz y mariscos",
    "Mi hermana trabaja en un hospital",
  ],
  [
    "Spanish, accents left out",
    "¿Dónde está mi pasaporte español?",
    "mi pasaporte espanol esta en casa",
    "mi coche nuevo es rojo",
  ],
  [
    "French",
    "Je suis allergique aux fruits de mer",
    "une allergie aux fruits de mer",
    "Je travaille comme avocat à Paris",
  ],
  ["Chinese", "我最喜欢喝绿茶", "他每天早上喝绿茶", "明天北京会下大雨"],
  ["Chinese, a name", "王小明住在哪里？", "王小明搬到上海了", "李华喜欢打篮球"],
  ["Chinese, one word in a sentence", "对花生过敏", "我女儿对花生严重过敏", "我女儿喜欢游泳"],
  ["Japanese", "私はコーヒーが好きです", "コーヒーをよく飲みます", "明日は雨が降るでしょう"],
  ["Japanese, kanji", "東京の大学で勉強しています", "東京の大学に入りました", "猫と犬を飼っています"],
  ["Japanese, half-width kana", "ｺｰﾋｰが好き", "コーヒーが好き", "ラーメンが嫌い"],
  ["Korean", "저는 매운 음식을 좋아합니다", "매운 음식은 김치찌개", "내일 서울에 비가 옵니다"],
  ["Russian", "Моя собака любит гулять в парке", "Собаки гуляют в парках", "Завтра у меня экзамен"],
  ["Arabic", "أحب شرب القهوة في الصباح", "القهوة في الصباح لذيذة", "يعمل أخي في المستشفى"],
  ["Hindi", "मुझे चाय पीना पसंद है", "मैं रोज़ चाय पीता हूँ", "कल दिल्ली में बारिश होगी"],
  ["Thai", "ฉันชอบกินข้าวผัด", "ข้าวผัดอร่อยมาก", "พรุ่งนี้ฝนจะตก"],
  ["emoji", "🎉🎂", "party 🎂🎉", "🚗💨"],
  ["emoji, skin tone", "👍🏽", "👍", "👎"],
  ["emoji glued to a word", "great😀 news", "great 😀", "sad 😢 day"],
  [
    "code",
    "TypeError: cannot read properties of undefined (reading 'map')",
    "items.map is undefined: TypeError",
    "git push rejected, non-fast-forward",
  ],
  [
    "code, identifiers",
    "function parseUsage(chunk) { return chunk.usage }",
    "where is parseUsage defined",
    "where is openDatabase defined",
  ],
  [
    "code, snake case",
    "user_account_id INTEGER PRIMARY KEY",
    "the primary key user_account_id",
    "the button has a blue border",
  ],
  ["numbers", "invoice 48213", "payment for 48213", "payment for 77590"],
  ["numbers, a year", "what happened in 2019", "2019 was a good year", "2003 was a good year"],
  ["negation", "I do not like coffee", "I don't like coffee", "I like coffee"],
  ["negation, typographic", "She can’t swim", "she can't swim", "she can swim"],
  ["letter case", "NASA LAUNCH", "nasa launch", "NASA lunch"],
  ["full width", "Ｔｈｒｏｕｇｈｌｉｎｅ", "throughline", "waistline"],
  ["zero width", "pass\u200Bword", "password", "sword"],
] as const;

describe("nearness", () => {
  it.each(pairs)("%s: like things are nearer", (_about, text, near, far) => {
    expect(similarity(text, near)).toBeGreaterThan(similarity(text, far) + 0.02);
  });

  it("is not a matter of the script: unlike texts of one language are far apart", () => {
    const unlike = [
      ["我最喜欢喝绿茶", "明天北京会下大雨"],
      ["私の母は医者です", "新しい車を買った"],
      ["Моя собака любит гулять", "Завтра у меня экзамен"],
      ["أحب شرب القهوة", "يعمل أخي في المستشفى"],
      ["안녕하세요 반갑습니다", "내일 서울에 비가 온다"],
    ] as const;
    expect(unlike.filter(([one, other]) => similarity(one, other) > 0.35)).toEqual([]);
  });

  it("does not depend on how often a word is said", () => {
    expect(similarity("tea tea tea and cake", "cake and tea")).toBeCloseTo(1, 6);
  });
});

describe("vectors", () => {
  it("are of unit length, in the order of the texts", async () => {
    const texts = ["a cup of tea", "我喜欢", "🎉", "48213"];
    const vectors = await embedder.embed(texts);
    expect(vectors.map((vector) => vector.length)).toEqual(texts.map(() => embedder.dimensions));
    for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
    expect(vectors).toEqual(texts.map((text) => embedder.embedOne(text)));
  });

  it("are zero for text without a word", async () => {
    for (const text of [
      "",
      "   ",
      "\n\t",
      "...!?",
      "\u200B\u200D\uFEFF",
      "\uD800",
      "\uDC00\uD83D",
      "\u0000\u0007",
      "\uFE0F",
    ]) {
      expect(embedder.embedOne(text)).toEqual(nothing);
    }
    expect(await embedder.embed([])).toEqual([]);
  });

  it("are the same, bit for bit, on every machine and after any other text", () => {
    const texts = ["The quick brown fox", "Zyrphia's 48213 Straßenbahnen", "我喜欢喝绿茶 🎉", "x".repeat(70)];
    const hash = (): string => {
      const sum = createHash("sha256");
      for (const text of texts) sum.update(new Uint8Array(embedder.embedOne(text).buffer));
      return sum.digest("hex");
    };
    const first = hash();
    embedder.embedOne("something else entirely, 完全に別の何か");
    expect(hash()).toBe(first);
    expect(first).toBe("15aae2f8eee1f07ab8edad4d285660b25b0cb29094cf2cdfe41a2f9742f64b0c");
  });

  it("belong to the caller", () => {
    const mine = embedder.embedOne("tea");
    mine.fill(7);
    expect(embedder.embedOne("tea")).not.toEqual(mine);
  });
});

describe("bounds", () => {
  it("are kept: no character past maxCharacters is read", () => {
    const read = "counterintuitive ".repeat(2000).slice(0, maxCharacters);
    expect(embedder.embedOne(`${read} volcano`)).toEqual(embedder.embedOne(read));
    expect(embedder.embedOne(`volcano ${read}`)).not.toEqual(embedder.embedOne(read));
  });

  it("are kept: no word past maxWords is read", () => {
    const read = "a b ".repeat(maxWords / 2);
    expect(embedder.embedOne(`${read} volcano`)).toEqual(embedder.embedOne(read));
    expect(embedder.embedOne(`${"a b ".repeat(maxWords / 2 - 1)} volcano`)).not.toEqual(embedder.embedOne(read));
  });

  it.each([
    ["a megabyte of words", "lorem ipsum ".repeat(87_000)],
    ["a megabyte without a space", "x".repeat(1_000_000)],
    ["a megabyte of Chinese", "茶".repeat(1_000_000)],
    ["a megabyte of emoji", "🎉".repeat(500_000)],
    ["a ligature that unfolds to eighteen characters", "\uFDFA".repeat(1_000_000)],
    ["half of a surrogate pair at the cut", `${"x".repeat(maxCharacters - 1)}🎉`],
    ["binary", String.fromCharCode(...Array.from({ length: 60_000 }, (_, index) => (index * 40_503) % 65_536))],
    ["every unit of UTF-16", String.fromCharCode(...Array.from({ length: 65_536 }, (_, unit) => unit)).slice(32_768)],
  ])("answers %s with a unit vector", (_name, text) => {
    const vector = embedder.embedOne(text);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  });

  it("stops before it begins when the caller has gone", async () => {
    await expect(embedder.embed(["tea"], AbortSignal.abort())).rejects.toThrow(/abort/i);
  });

  it("keeps the weights small enough for the repository", async () => {
    const { size } = await stat(new URL("vectors.bin", weights));
    expect(size).toBeLessThan(8_000_000);
  });
});

describe("weights that are not right", () => {
  const folders: string[] = [];

  afterEach(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
  });

  async function copyOfWeights(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "weights-"));
    folders.push(folder);
    await cp(weights, folder, { recursive: true });
    return folder;
  }

  it("are named when they are missing", async () => {
    const folder = await copyOfWeights();
    await rm(join(folder, "vectors.bin"));
    await expect(createStaticEmbedder(pathToFileURL(`${folder}/`))).rejects.toThrow(/vectors\.bin cannot be read/);
  });

  it("are refused when they are cut short", async () => {
    const folder = await copyOfWeights();
    await truncate(join(folder, "vectors.bin"), 1000);
    await expect(createStaticEmbedder(pathToFileURL(`${folder}/`))).rejects.toThrow(
      /vectors\.bin is not the file it was built with/,
    );
  });

  it("are refused when git has changed the line ends of the vocabulary", async () => {
    const folder = await copyOfWeights();
    await writeFile(join(folder, "vocabulary.txt"), "the\r\nof\r\n");
    await expect(createStaticEmbedder(pathToFileURL(`${folder}/`))).rejects.toThrow(
      /vocabulary\.txt is not the file it was built with/,
    );
  });
});
