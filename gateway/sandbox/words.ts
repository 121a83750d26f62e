/** Words that carry no topic, in the languages people try first. Anything else still works, only less sharply. */
const stopWords = new Set(
  `a about after again all also am an and any are as at be because been before being but by can could did do does doing
  for from get gets got had has have having he her here him his how i if in into is it its just know let may me
  might mine my myself no nor not now of off on once only or our out over own please remember remind said say says shall
  she should so some still such tell than that the their them then there these they this those through to today too
  under until up us user very was we were what whats when where which while who whom whose why will with would you your
  yours ich du er sie es wir ihr mein meine meinen dein der die das den dem ein eine einen und oder ist sind war bin bist
  hat habe was wo wer wie wann warum welche welcher welches in im am auf mit von zu für
  yo tu el la los las un una unos y o es son era soy mi mis su sus que qué donde dónde quien quién como cómo cuando
  cuándo cual cuál en de del con por para se me te
  je il elle nous vous le les un une des et ou est sont mon ma mes ton ta ce que quoi où qui comment quand quel quelle
  dans du avec pour
  eu ele ela nós meu minha o os as um uma e é são onde quem quando qual no na em do da com
  io lui lei noi il lo gli di è sono mio mia dove chi come quando quale nel nella con per`
    .split(/\s+/u)
    .filter((word) => word !== ""),
);

/** Nouns that only name the sort of answer wanted ("which city do I live in?"): a statement need not repeat them. */
const categoryStems = new Set(
  `name city town country place number date day year age kind type thing time person address word`
    .split(" ")
    .map(plainStem),
);

/** Words a question and a statement use for the same thing: each stands for the first of its row. */
const canonicalStems = new Map(
  [
    "live reside resident residence home located inhabit move moved",
    "work job profession occupation employed employer career",
    "name called call",
    "favourite favorite prefer preferred preference love like enjoy",
    "born birthday birth birthdate",
    "wife husband spouse partner married",
    "allergic allergy allergies intolerant",
    "drive car",
    "speak language languages",
    "colour color",
    "mother mum mom",
    "father dad",
  ].flatMap((row) => {
    const words = row.split(" ");
    return words.map((word) => [plainStem(word), plainStem(words[0] ?? word)] as const);
  }),
);

export type Word = {
  /** Lower case, without accents and endings: what is compared. */
  readonly stem: string;
  /** A name or a number: a statement about something else must not answer a question that holds it. */
  readonly isName: boolean;
  readonly isCategory: boolean;
};

/** The words of a text that carry its topic, each once, in order. */
export function contentWords(text: string): Word[] {
  const found = new Map<string, Word>();
  let atStart = true;
  for (const match of text.matchAll(/[\p{L}\p{M}\p{N}]+(?:['’][\p{L}]+)?|[.!?:\n]/gu)) {
    const raw = match[0];
    if (/^[.!?:\n]$/u.test(raw)) {
      atStart = true;
      continue;
    }
    for (const word of toWords(raw, atStart)) if (!found.has(word.stem)) found.set(word.stem, word);
    atStart = false;
  }
  return [...found.values()];
}

function toWords(raw: string, atStart: boolean): Word[] {
  const lower = raw.toLowerCase().replace(/['’]s$/u, "");
  if (/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u.test(lower)) {
    return lower.split(askingCharacters).flatMap(toPairs);
  }
  if (stopWords.has(lower) || lower.length < 2) return [];
  const stem = stemOf(lower);
  const isName = /^\p{N}/u.test(raw) || (!atStart && /^\p{Lu}/u.test(raw));
  return [{ stem, isName, isCategory: categoryStems.has(stem) }];
}

/** What only asks, in Chinese and Japanese: a statement does not repeat it. */
const askingCharacters =
  /在?哪[里裡儿]?|什[么麼]|[谁誰]|多少|几|怎[么麼]样?|[为為]什[么麼]|[吗呢]|どこ|なに|何|だれ|いつ|ですか|ますか/u;

/** Scripts without spaces: pairs of characters stand in for words. */
function toPairs(text: string): Word[] {
  const characters = Array.from(text);
  return characters.slice(1).map((character, index) => {
    return { stem: `${characters[index] ?? ""}${character}`, isName: false, isCategory: false };
  });
}

function stemOf(word: string): string {
  const stem = plainStem(word);
  return canonicalStems.get(stem) ?? stem;
}

function plainStem(word: string): string {
  const plain = word.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  if (plain.length < 4) return plain;
  const long = plain.replace(/(?:ies|ied)$/u, "y").replace(/(?<=\w{3})(?:ing|edly|ed|es|ic)$/u, "");
  return long.replace(/(?<!s)s$/u, "").replace(/(?<=\w{2})[ey]$/u, "");
}
