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
// The letter case patterns of Kimi, which leave the Han characters to a piece of their own.
#define UPPER_NO_HAN R"((?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]))"
#define LOWER_NO_HAN R"((?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}]))"
constexpr std::string_view kKimi =
    R"(\p{Han}+|)" BEFORE UPPER_NO_HAN "*" LOWER_NO_HAN "+" ENDING "|" BEFORE UPPER_NO_HAN "+"
    LOWER_NO_HAN "*" ENDING
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kYoutu =
    BEFORE UPPER "*" LOWER "+" ENDING "|" BEFORE UPPER "+" LOWER "*" ENDING
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    BEFORE UPPER "*" LOWER "+|" BEFORE UPPER "+" LOWER "*"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

#undef UPPER
#undef LOWER
#undef UPPER_NO_HAN
#undef LOWER_NO_HAN
#undef ENDING
#undef BEFORE

// The alphabets with letter case, as DeepSeek lists them. (\u where an editor that normalizes text
// would turn the character into another.)
constexpr std::string_view kCasedLetters =
    "\\s?[A-Za-z\u00B5À-ÖØ-öø-ƺƼ-ƿ\u01C4-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-\u03F5Ϸ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ"
    "-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼ"
    "\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-"
    "\u2134\u2139\u213C-\u213F\u2145-\u2149ⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿ\uFB00-\uFB06"
    "\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\U00010400-\U0001044F\U000104B0-\U000104D3"
    "\U000104D8-\U000104FB\U00010C80-\U00010CB2\U00010CC0-\U00010CF2\U000118A0-\U000118DF"
    "\U0001E900-\U0001E943]+";
constexpr std::string_view kCjk = "[一-龥ࠀ-一가-\uD7FF]+";
constexpr std::string_view kCjkKana = "[一-龥぀-\u309F゠-\u30FF]+";
constexpr std::string_view kWidePunctuation =
    "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E‘-‟\u3000-。]+";
constexpr std::string_view kPunctuation = R"([\p{P}\$\+<=>\^~\|`]+)";
constexpr std::string_view kDeepSeek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kSpark =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kYoutuScripts =
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-\u303F\uFE30-\uFE4F]+|[ㄅ-ㄯ]+|[一-龥\u3040-\u309F゠-\u30FF]+";
// Chinese, Japanese, Thai, Lao, Khmer, Burmese and Korean, as AFM lists their blocks.
constexpr std::string_view kAsianScripts =
    "[\u4E00-\u9FFF\u3400-\u4DBF\uF900-\uFAFF\u3040-\u309F\u30A0-\u30FF\uFF65-\uFF9F\u2F00-"
    "\u2FDF\u0E40-\u0E7F\u0E80-\u0EFF\u1780-\u17FF\u1000-\u109F\uAA60-\uAA7F\uA9E0-\uA9FF"
    "\uAC00-\uD7AF\u1100-\u11FF]+";
constexpr std::string_view kJais2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S))"
    R"(|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";
constexpr std::string_view kExaoneMoe =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kUfakzeka =
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kMiniCpm5 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kUpToThreeNumbers = R"(\p{N}{1,3})";
constexpr std::string_view kLines = R"([^\n]+|[\n]+)";
constexpr std::string_view kBloom = " ?[^(\\s|.,!?\u2026。\uFF0C、।۔،)]+";
constexpr std::string_view kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*)"
    R"(|\s*[\r\n]|\s+(?!\S)|\s+)";

using patterns::kGpt2;
using patterns::kLlama3;
using patterns::kNewline;
using patterns::kNumber;
using patterns::kQwen2;
using patterns::kQwen35;
using patterns::kThreeDigits;
using patterns::kTrailingSpace;

const std::array kRows = std::to_array<PreTokenizerRow>({
    {" default ", {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", kThreeDigits}},
    {" gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert "
     "exaone4 mpt olmo jais trillion granite-docling jina-v1-en jina-v2-code roberta-bpe ",
     {kGpt2}},
    {" smollm starcoder refact command-r codeshell exaone minerva-7b mellum2 ", {kNumber, kGpt2}},
    {" llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
     {kLlama3}, true, true},
    {" dbrx smaug-bpe chatglm-bpe ", {kLlama3}},
    {" glm4 glm5 ", {kLlama3}, true},
    {" qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2 ",
     {kQwen2}},
    {" qwen35 ", {kQwen35}},
    {" laguna ", {kLines, kQwen2}},
    {" ufakzeka ", {kUfakzeka}},
    {" minicpm5 ", {kUpToThreeNumbers, kMiniCpm5}, true},
    {" jais-2 ", {kJais2}},
    {" exaone-moe ", {kExaoneMoe}},
    {" kimi-k2 ", {kKimi}},
    {" superbpe ", {R"(\p{N}+)", patterns::kGroupCuts}},
    {" tiny_aya cohere2moe ", {patterns::kGroupsOfWords, kGpt4o}},
    {" afmoe ", {patterns::kGroupsIsolated, kAsianScripts, kDeepSeek3}},
    {" spark2_5 ", {kUpToThreeNumbers, kCjkKana, kSpark, kNumber}},
    {" youtu ", {kYoutuScripts, kYoutu}, true},
    {" chameleon ",
     {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", R"(([\t\n]|    |  ))", kNumber,
      R"([\p{P}!-/:-@\[-`{-~])", kGpt2},
     false, true},
    {" falcon ", {kPunctuation, kGpt2, kThreeDigits}},
    {" deepseek-llm ",
     {kNewline, kCasedLetters, kWidePunctuation, kTrailingSpace, kCjk, kNumber}},
    {" deepseek-coder ", {kNewline, R"(\s?\p{L}+)", R"(\s?\p{P}+)", kCjk, kNumber}},
    {" deepseek-v3 hunyuan-dense joyai-llm hy_v4 ", {kUpToThreeNumbers, kCjkKana, kDeepSeek3}},
    {" tekken ", {kTekken}, true, true},
    {" gpt-4o llama4 kanana2 talkie minimax-m2 ", {kGpt4o}},
    {" granite-embed-multi-97m ", {kGpt4o}, true},
    {" bloom poro-chat gpt3-finnish ", {kBloom}},
    {" viking ", {kBloom, kNumber}},
    {" seed-coder ", {kSeedCoder}},
    {" bailingmoe bailingmoe2 llada-moe ", {kBailing}},
    {" gemma4 granite-embed-multi-311m sarvam-moe ", {kLines}, false, true, false},
    {" whitespace ", {R"(\S+)"}, false, false, false, true},
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
