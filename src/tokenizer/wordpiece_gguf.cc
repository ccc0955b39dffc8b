// BERT's vocabulary in GGUF ("bert"): entries that begin a word have U+2581 in front and
// continuations nothing, where Hugging Face's files have "##" before continuations. The entries are
// turned back, and ids come out as Hugging Face's BERT gives them.
#include <algorithm>

#include "tokenizer/characters.h"
#include "tokenizer/decoder.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/space_cutter.h"
#include "tokenizer/word_tokenizer.h"

namespace hearth {
namespace {

bool is_bracketed(std::string_view text) { return text.starts_with('[') && text.ends_with(']'); }

void restore_entries(Vocabulary& vocabulary) {
  for (size_t id = 0; id < vocabulary.entries.size(); ++id) {
    std::string& text = vocabulary.entries[id];
    if (vocabulary.kinds[id] == TokenKind::kControl || is_bracketed(text)) continue;
    if (text.starts_with(kSpaceMark)) text.erase(0, kSpaceMark.size());
    else text.insert(0, "##");
  }
  vocabulary.index.build(vocabulary.entries);
}

// The format does not say whether the model knows capitals; its entries do.
bool has_capitals(const Vocabulary& vocabulary) {
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  for (const std::string& text : vocabulary.entries)
    if (!is_bracketed(text) && std::any_of(text.begin(), text.end(), is_capital)) return true;
  return false;
}

TokenId read_token(const Metadata& metadata, std::string_view key, std::string_view name,
                   const Vocabulary& vocabulary) {
  const auto id = metadata.uint(key);
  if (id && *id < vocabulary.entries.size()) return static_cast<TokenId>(*id);
  return vocabulary.find(name);
}

Json bert_normalizer(bool lowercase) {
  Json out;
  out.set("type", "BertNormalizer");
  out.set("lowercase", lowercase);
  return out;
}

Json bert_processor(TokenId cls, TokenId sep) {
  Json out;
  out.set("type", "BertProcessing");
  out.set("cls", Json::Array{Json("[CLS]"), Json(cls)});
  out.set("sep", Json::Array{Json("[SEP]"), Json(sep)});
  return out;
}

Json wordpiece_decoder() {
  Json out;
  out.set("type", "WordPiece");
  return out;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> make_wordpiece_from_gguf(const Metadata& metadata) {
  Vocabulary vocabulary = TRY(read_gguf_vocabulary(metadata));
  restore_entries(vocabulary);
  vocabulary.unknown =
      read_token(metadata, "tokenizer.ggml.unknown_token_id", "[UNK]", vocabulary);
  const TokenId cls = read_token(metadata, "tokenizer.ggml.cls_token_id", "[CLS]", vocabulary);
  // The key is written so.
  const TokenId sep =
      read_token(metadata, "tokenizer.ggml.seperator_token_id", "[SEP]", vocabulary);
  if (vocabulary.bos < 0) vocabulary.bos = cls;
  if (vocabulary.eos < 0) vocabulary.eos = sep;
  if (cls >= 0 && sep >= 0) {
    vocabulary.post_processor = std::make_shared<const PostProcessor>(
        TRY(PostProcessor::from_json(bert_processor(cls, sep), vocabulary.entries.size())));
    vocabulary.add_bos = vocabulary.bos == cls;
    vocabulary.add_eos = vocabulary.eos == sep;
  }
  vocabulary.decoder =
      std::make_shared<const Decoder>(TRY(Decoder::from_json(wordpiece_decoder())));
  Normalizer normalizer = TRY(Normalizer::from_json(bert_normalizer(!has_capitals(vocabulary))));
  PreTokenizer pre;
  pre.add_character_split(is_white_space, SplitBehavior::kRemoved);
  pre.add_character_split(is_punctuation, SplitBehavior::kIsolated);
  TRY(pre.finish());
  return WordPieceTokenizer::make(std::move(vocabulary), std::move(normalizer), std::move(pre), {});
}

}  // namespace hearth
