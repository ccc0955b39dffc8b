// The table of tokenizer.ggml.pre: one row per list of patterns, with the names that use it. The
// patterns are those of the tokenizer.json files that the names stand for.
#include <array>

#include "tokenizer/pre_tokenizer.h"

namespace hearth {
namespace {

// A letter case pattern: capitals and what may follow them, then small letters.
#define UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define ENDING R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
#define BEFORE R"([^\r\n\p{L}\p{N}]?)"

constexpr std::string_view kGpt4o =
    BEFORE UPPER "*" LOWER "+" ENDING "|" BEFORE UPPER "+" LOWER "*" ENDING
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    BEFORE UPPER "*" LOWER "+|" BEFORE UPPER "+" LOWER "*"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

#undef UPPER
#undef LOWER
#undef ENDING
#undef BEFORE

// The alphabets with letter case, as DeepSeek lists them.
constexpr std::string_view kCasedLetters =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚ)"
    R"(Ḁ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄ)"
    R"(Ⰰ-ⱻⱾ-ⳤⳫ-ⳮⲳⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";
constexpr std::string_view kCjk = "[一-龥ࠀ-一가-퟿]+";
constexpr std::string_view kCjkKana = "[一-龥぀-ゟ゠-ヿ]+";
// \s+$ with a guard that keeps the search linear where a run of spaces does not end the piece.
constexpr std::string_view kTrailingSpace = R"((?<!\s)\s+$)";
constexpr std::string_view kNewline = R"([\r\n])";
constexpr std::string_view kPunctuation = R"([\p{P}\$\+<=>\^~\|`]+)";
constexpr std::string_view kThreeDigits = "[0-9][0-9][0-9]";
constexpr std::string_view kDeepSeek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr std::string_view kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*)"
    R"(|\s*[\r\n]|\s+(?!\S)|\s+)";

using patterns::kGpt2;
using patterns::kLlama3;
using patterns::kNumber;
using patterns::kQwen2;
using patterns::kQwen35;

const std::array kRows = std::to_array<PreTokenizerRow>({
    {" default ", {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", kThreeDigits}},
    {" gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert "
     "exaone4 mpt olmo jais trillion granite-docling ",
     {kGpt2}},
    {" smollm starcoder refact command-r codeshell exaone minerva-7b mellum2 ", {kNumber, kGpt2}},
    {" llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
     {kLlama3}, true, true},
    {" dbrx smaug-bpe chatglm-bpe ", {kLlama3}},
    {" glm4 glm5 ", {kLlama3}, true},
    {" qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2 ",
     {kQwen2}},
    {" qwen35 ", {kQwen35}},
    {" falcon ", {kPunctuation, kGpt2, kThreeDigits}},
    {" deepseek-llm ",
     {kNewline, kCasedLetters, R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)", kTrailingSpace, kCjk, kNumber}},
    {" deepseek-coder ", {kNewline, R"(\s?\p{L}+)", R"(\s?\p{P}+)", kCjk, kNumber}},
    {" deepseek-v3 hunyuan-dense joyai-llm hy_v4 ", {R"(\p{N}{1,3})", kCjkKana, kDeepSeek3}},
    {" tekken ", {kTekken}, true, true},
    {" gpt-4o llama4 kanana2 talkie minimax-m2 ", {kGpt4o}},
    {" bloom poro-chat gpt3-finnish ", {kBloom}},
    {" viking ", {kBloom, kNumber}},
    {" seed-coder ", {kSeedCoder}},
    {" bailingmoe bailingmoe2 llada-moe ", {kBailing}},
    {" gemma4 ", {R"([^\n]+|[\n]+)"}, false, true, false},
});

}  // namespace

const PreTokenizerRow* find_pre_tokenizer(std::string_view name) {
  if (name.empty() || name.find(' ') != std::string_view::npos) return nullptr;
  const std::string wanted = " " + std::string(name) + " ";
  for (const PreTokenizerRow& row : kRows)
    if (row.names.find(wanted) != std::string_view::npos) return &row;
  return nullptr;
}

std::vector<const PreTokenizerRow*> pre_tokenizer_rows() {
  std::vector<const PreTokenizerRow*> rows;
  for (const PreTokenizerRow& row : kRows) rows.push_back(&row);
  return rows;
}

}  // namespace hearth
