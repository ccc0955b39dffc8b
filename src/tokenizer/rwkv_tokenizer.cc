#include "tokenizer/rwkv_tokenizer.h"

#include <charconv>

namespace hearth {

std::string unescape_rwkv(std::string_view entry) {
  std::string out;
  for (size_t at = 0; at < entry.size(); ++at) {
    if (entry[at] != '\\' || at + 1 == entry.size()) {
      out += entry[at];
      continue;
    }
    const char c = entry[++at];
    if (c == 't') out += '\t';
    else if (c == 'n') out += '\n';
    else if (c == 'r') out += '\r';
    else if (c != 'x') out += c;
    else {
      uint8_t byte = 0;
      const std::string_view digits = entry.substr(at + 1, 2);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      if (error == std::errc{} && end == digits.data() + 2) {
        out += static_cast<char>(byte);
        at += 2;
      } else {
        out += c;
      }
    }
  }
  return out;
}

Result<std::shared_ptr<const Tokenizer>> RwkvTokenizer::make(Vocabulary vocabulary) {
  std::shared_ptr<RwkvTokenizer> made(new RwkvTokenizer(std::move(vocabulary)));
  std::vector<std::string> texts(made->entries_.size());
  std::vector<ByteTrie::Item> items;
  for (TokenId id = 0; id < made->size(); ++id) {
    const TokenKind kind = made->token_kind(id);
    if (kind == TokenKind::kControl || kind == TokenKind::kUnknown || kind == TokenKind::kUnused)
      continue;
    std::string& text = texts[static_cast<size_t>(id)];
    text = unescape_rwkv(made->entry(id));
    items.emplace_back(text, id);
  }
  made->trie_ = TRY(ByteTrie::build(items));
  return made;
}

void RwkvTokenizer::encode_plain(std::string_view text, size_t, EncodeScratch&,
                                 std::vector<TokenId>& out) const {
  while (!text.empty()) {
    const ByteTrie::Match match = trie_.longest(text);
    if (match.bytes > 0) out.push_back(match.value);
    else if (unknown_ >= 0) out.push_back(unknown_);
    text.remove_prefix(std::max(match.bytes, size_t{1}));
  }
}

std::string RwkvTokenizer::entry_bytes(std::string_view entry) const {
  return unescape_rwkv(entry);
}

Result<std::shared_ptr<const Tokenizer>> make_rwkv_from_gguf(const Metadata& metadata) {
  Vocabulary vocabulary = TRY(read_gguf_vocabulary(metadata));
  vocabulary.add_bos = TRY(metadata.boolean("tokenizer.ggml.add_bos_token", false));
  vocabulary.add_eos = TRY(metadata.boolean("tokenizer.ggml.add_eos_token", false));
  vocabulary.set_affixes();
  return RwkvTokenizer::make(std::move(vocabulary));
}

}  // namespace hearth
