#include "engine/infill.h"

#include <fmt/format.h>

namespace hearth {
namespace {

// One row per family; the names of its tokens as its vocabulary writes them.
struct Family {
  std::string_view prefix, suffix, middle;
  bool suffix_first = false;
};

constexpr Family kFamilies[] = {
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},          // Qwen2.5-Coder, CodeGemma
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},                // StarCoder, Granite
    {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},                // SantaCoder
    {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},          // DeepSeek-Coder
    {"▁<PRE>", "▁<SUF>", "▁<MID>"},                                  // CodeLlama
    {"<PRE>", "<SUF>", "<MID>"},
    {"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"},       // GLM-4.5
    {"<|prefix|>", "<|suffix|>", "<|middle|>"},                      // Falcon-H1-Coder
    {"[PREFIX]", "[SUFFIX]", "[MIDDLE]", true},      // Codestral
};

// Padding, repositories and files: they never belong to a middle.
constexpr std::string_view kEnds[] = {
    "<|fim_pad|>", "<fim_pad>", "<fim-pad>", "<|fim_repo|>", "<|repo_name|>", "<reponame>",
    "<|file_sep|>", "<file_sep>", "<|file_separator|>", "▁<EOT>", "<EOT>"};

// Where a mark is in the metadata: the key of today, that of older files.
struct Key {
  std::string_view now, before;
};
constexpr Key kPrefixKey{"fim_pre_token_id", "prefix_token_id"};
constexpr Key kSuffixKey{"fim_suf_token_id", "suffix_token_id"};
constexpr Key kMiddleKey{"fim_mid_token_id", "middle_token_id"};

Result<TokenId> from_metadata(const Tokenizer& tokenizer, const Metadata& metadata, Key key) {
  for (std::string_view name : {key.now, key.before}) {
    std::string full = fmt::format("tokenizer.ggml.{}", name);
    if (metadata.find(full) == nullptr) continue;
    uint64_t id = TRY(metadata.uint(full));
    if (id >= static_cast<uint64_t>(tokenizer.size()))
      return fail(Code::kCorrupt, "{} is {}, outside the vocabulary of {}", full, id,
                  tokenizer.size());
    return static_cast<TokenId>(id);
  }
  return -1;
}

}  // namespace

Result<InfillTokens> infill_tokens(const Tokenizer& tokenizer, const Metadata& metadata) {
  InfillTokens out{.prefix = TRY(from_metadata(tokenizer, metadata, kPrefixKey)),
                   .suffix = TRY(from_metadata(tokenizer, metadata, kSuffixKey)),
                   .middle = TRY(from_metadata(tokenizer, metadata, kMiddleKey))};
  for (const Family& family : kFamilies) {
    bool whole = out.prefix >= 0 && out.suffix >= 0 && out.middle >= 0;
    TokenId prefix = tokenizer.find(family.prefix), suffix = tokenizer.find(family.suffix),
            middle = tokenizer.find(family.middle);
    if (whole && (out.prefix != prefix || out.suffix != suffix)) continue;
    // Codestral has no mark for the middle: what follows the prefix is the middle.
    if (prefix < 0 || suffix < 0 || (middle < 0 && !family.suffix_first)) continue;
    if (!whole) out.prefix = prefix, out.suffix = suffix, out.middle = middle;
    out.suffix_first = family.suffix_first;
    break;
  }
  if (out.prefix < 0 || out.suffix < 0 || (out.middle < 0 && !out.suffix_first))
    return fail(Code::kUnsupported,
                "the model has no tokens for a prefix, a suffix and a middle: it was not trained "
                "to fill in the middle; leave --suffix out");
  for (TokenId id : {out.prefix, out.suffix, out.middle})
    if (id >= 0) out.ends.push_back(id);
  for (std::string_view name : kEnds)
    if (TokenId id = tokenizer.find(name); id >= 0) out.ends.push_back(id);
  return out;
}

std::vector<TokenId> infill_prompt(const Tokenizer& tokenizer, const InfillTokens& tokens,
                                   std::string_view before, std::string_view after) {
  constexpr EncodeOptions kPlain{.add_special = false, .parse_special = false};
  std::vector<TokenId> out;
  auto add = [&](TokenId mark, std::string_view text) {
    out.push_back(mark);
    std::vector<TokenId> ids = tokenizer.encode(text, kPlain);
    out.insert(out.end(), ids.begin(), ids.end());
  };
  if (tokenizer.adds_bos() && tokenizer.bos() >= 0) out.push_back(tokenizer.bos());
  if (tokens.suffix_first) {
    add(tokens.suffix, after);
    add(tokens.prefix, before);
    return out;
  }
  add(tokens.prefix, before);
  add(tokens.suffix, after);
  out.push_back(tokens.middle);
  return out;
}

}  // namespace hearth
