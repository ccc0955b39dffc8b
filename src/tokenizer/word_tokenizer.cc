#include "tokenizer/word_tokenizer.h"

#include "base/utf8.h"

namespace hearth {

WordTokenizer::WordTokenizer(Vocabulary vocabulary, Normalizer normalizer,
                             PreTokenizer pre_tokenizer)
    : TextTokenizer(std::move(vocabulary), std::move(normalizer)),
      pre_tokenizer_(std::move(pre_tokenizer)) {}

void WordTokenizer::encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                                 std::vector<TokenId>& out) const {
  pre_tokenizer_.run(text, lead, scratch.regex, [&](std::string_view word) {
    WordCache::Slot* slot = scratch.cache.slot_of(word);
    if (slot && slot->holds(word)) {
      out.insert(out.end(), slot->ids.begin(), slot->ids.begin() + slot->count);
      return;
    }
    const size_t before = out.size();
    encode_word(word, out);
    if (slot) WordCache::store(*slot, word, out.data() + before, out.size() - before);
  });
}

void WordTokenizer::push_unknown(std::vector<TokenId>& out) const {
  if (unknown_ >= 0) out.push_back(unknown_);
}

WordLevelTokenizer::WordLevelTokenizer(Vocabulary vocabulary, Normalizer normalizer,
                                       PreTokenizer pre_tokenizer)
    : WordTokenizer(std::move(vocabulary), std::move(normalizer), std::move(pre_tokenizer)) {}

void WordLevelTokenizer::encode_word(std::string_view word, std::vector<TokenId>& out) const {
  const TokenId id = find_in_model(word);
  if (id >= 0) out.push_back(id);
  else push_unknown(out);
}

WordPieceTokenizer::WordPieceTokenizer(Vocabulary vocabulary, Normalizer normalizer,
                                       PreTokenizer pre_tokenizer, const WordPieceOptions& options)
    : WordTokenizer(std::move(vocabulary), std::move(normalizer), std::move(pre_tokenizer)),
      options_(options) {}

Result<std::shared_ptr<const Tokenizer>> WordPieceTokenizer::make(
    Vocabulary vocabulary, Normalizer normalizer, PreTokenizer pre_tokenizer,
    const WordPieceOptions& options) {
  const std::shared_ptr<WordPieceTokenizer> made(new WordPieceTokenizer(
      std::move(vocabulary), std::move(normalizer), std::move(pre_tokenizer), options));
  TRY(made->build());
  return made;
}

Result<void> WordPieceTokenizer::build() {
  std::vector<ByteTrie::Item> starts, continuations;
  const std::string& prefix = options_.continuing_prefix;
  for (TokenId id = 0; id < size(); ++id) {
    const std::string_view text = entry(id);
    if (text.empty() || find_in_model(text) != id) continue;
    starts.emplace_back(text, id);
    if (text.starts_with(prefix)) continuations.emplace_back(text.substr(prefix.size()), id);
  }
  starts_ = TRY(ByteTrie::build(std::move(starts)));
  continuations_ = TRY(ByteTrie::build(std::move(continuations)));
  return {};
}

void WordPieceTokenizer::encode_word(std::string_view word, std::vector<TokenId>& out) const {
  size_t characters = 0;
  for (size_t at = 0; at < word.size(); ++characters) at += decode_utf8(word, at).bytes;
  if (characters > options_.characters_max) return push_unknown(out);
  const size_t before = out.size();
  for (size_t at = 0; at < word.size();) {
    const ByteTrie& trie = at == 0 ? starts_ : continuations_;
    const ByteTrie::Match match = trie.longest(word.substr(at));
    if (match.bytes == 0) {
      out.resize(before);
      return push_unknown(out);
    }
    out.push_back(match.value);
    at += match.bytes;
  }
}

}  // namespace hearth
