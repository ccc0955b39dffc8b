// Which entries end a generation, and which a foreign text must not be able to write.
#include <algorithm>
#include <array>

#include "tokenizer/vocabulary.h"

namespace hearth {
namespace {

// Names that models of the field give to the end of a turn, a text or a file.
constexpr std::array<std::string_view, 26> kEndNames = {
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|return|>", "<|call|>",
    "<end_of_turn>", "<turn|>", "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<EOT>",
    "_<EOT>", "[EOT]", "[EOS]", "<|eot|>", "<end_of_utterance>", "<｜end▁of▁sentence｜>",
    "[e~[", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|END_OF_TURN_TOKEN|>",
    "<|flush|>", "<|calls|>",
};

// Names of the opening of a turn that do not look like one ("<|...|>").
constexpr std::array<std::string_view, 9> kTurnNames = {
    "<start_of_turn>", "<s>", "<bos>", "<pad>", "[INST]", "[/INST]", "<|turn>", "<SPECIAL_10>",
    "<start_of_image>",
};

bool looks_like_control(std::string_view text) {
  if (text.starts_with("<|") && text.ends_with("|>")) return true;
  if (text.starts_with("<｜") && text.ends_with("｜>")) return true;
  return std::find(kTurnNames.begin(), kTurnNames.end(), text) != kTurnNames.end();
}

bool has(const std::vector<TokenId>& ids, TokenId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

void find_end_ids(Vocabulary& vocabulary, const std::vector<TokenId>& more) {
  std::vector<TokenId>& ends = vocabulary.end_ids;
  const auto special = [&](std::string_view name) {
    const TokenId id = vocabulary.find(name);
    if (id < 0) return TokenId{-1};
    const TokenKind kind = vocabulary.kinds[static_cast<size_t>(id)];
    return kind == TokenKind::kControl || kind == TokenKind::kUserDefined ? id : TokenId{-1};
  };
  for (const std::string_view name : kEndNames) ends.push_back(special(name));
  // In the format called harmony "<|end|>" closes a message, not the answer.
  if (has(ends, special("<|return|>")) && special("<|return|>") >= 0 &&
      special("<|call|>") >= 0)
    std::erase(ends, special("<|end|>"));
  ends.push_back(vocabulary.eos);
  ends.insert(ends.end(), more.begin(), more.end());
  std::erase_if(ends, [](TokenId id) { return id < 0; });
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

void guard_turn_tokens(Vocabulary& vocabulary) {
  const auto& ends = vocabulary.end_ids;
  for (auto* tokens : {&vocabulary.specials, &vocabulary.normalized_specials})
    for (SpecialToken& token : *tokens)
      token.guarded = token.control || looks_like_control(token.text) ||
                      std::binary_search(ends.begin(), ends.end(), token.id);
}

}  // namespace hearth
