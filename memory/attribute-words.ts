import { contentWords } from "./words.ts";

/**
 * What people say when they mean an attribute: "I moved to Lisbon" answers "where do I live?" without sharing a word
 * with it. Joins the words a memory is found by and compared with; never shown.
 */
function attributeWords(attribute: string | undefined): string {
  const family = attribute?.split(" ")[0];
  return family === undefined ? "" : (spoken[family] ?? "");
}

/** The words of a statement that are not just another way to name its attribute: "Lisbon" in "I live in Lisbon". */
export function distinguishingWords(text: string, attribute: string | undefined): readonly string[] {
  const common = new Set(contentWords(`${attributeWords(attribute)} ${attribute ?? ""}`, 200));
  return contentWords(text).filter((word) => !common.has(word));
}

/** What the text index holds for a memory: its text without the dates that were worked out, and its attribute's words. */
export function wordsText(memory: Searchable): string {
  const words = attributeWords(memory.attribute);
  return words === "" ? plainText(memory) : `${plainText(memory)} ${words}`;
}

/** What is embedded for a memory: words of other languages would only blur its meaning. */
export function meaningText(memory: Searchable): string {
  return plainAttributes.has(memory.attribute ?? "") ? `${plainText(memory)} ${memory.attribute}` : plainText(memory);
}

type Searchable = { readonly text: string; readonly attribute?: string };

function plainText({ text }: Searchable): string {
  return text.replaceAll(workedOutDate, "");
}

/** Attributes whose own name says what is asked for. */
const plainAttributes = new Set(["home", "name", "job", "employer", "studies", "age", "origin", "diet", "birthday"]);

const workedOutDate = / \((?:week of )?\d{4}(?:-\d{2}){0,2}\)/gu;

const spoken: Readonly<Record<string, string>> = {
  home: "home live living lived moved address city wohne wohnen lebe gezogen vivo vivir mudé casa habite habiter déménagé moro morar mudei 住 搬",
  name: "name called heiße heißt nombre llamo llama appelle nome chamo 名字 叫",
  form: "name call nennen llamar appeler chamar 称呼",
  job: "job work profession occupation career arbeit beruf trabajo profesión travail métier trabalho profissão 工作 职业",
  employer:
    "work job company employer firma arbeitgeber arbeite empresa trabajo entreprise travaille trabalho 公司 工作",
  studies: "study studies university degree studium estudios études estudos 学习 大学",
  age: "age old alter edad âge idade 年龄 岁",
  birth: "birthday born geburtstag cumpleaños anniversaire aniversário 生日",
  birthday: "birthday born date geburtstag cumpleaños anniversaire aniversário 生日",
  origin: "from origin country hometown herkunft origen origine origem 来自 家乡",
  marital: "married spouse partner verheiratet casado marié 结婚",
  diet: "diet eat food meal dinner lunch cook recipe restaurant essen kochen ernährung comida cenar cocinar manger cuisine comer cozinhar 吃 饮食",
  allergy: "allergy allergic eat food cook recipe allergie alergia 过敏",
  taste: "like prefer favourite taste",
  favourite: "favorite favourite like prefer liebling favorito préféré",
};
