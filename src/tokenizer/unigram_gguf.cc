// Unigram models in GGUF ("t5": T5, Flan-T5, XLM-RoBERTa, nomic-embed-text-v2, ...).
#include <algorithm>

#include "tokenizer/byte_level.h"
#include "tokenizer/sentencepiece_normalizer.h"
#include "tokenizer/unigram_tokenizer.h"

namespace hearth {
namespace {

Result<Charsmap> read_charsmap(const Metadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.ggml.precompiled_charsmap";
  if (!metadata.find(kKey)) return Charsmap();
  const MetaArray& array = *TRY(metadata.array(kKey));
  if (array.item != MetaType::kU8 && array.item != MetaType::kI8)
    return fail(Code::kCorrupt, "{}: items are {}, not bytes", kKey, name_of(array.item));
  return Charsmap::parse({reinterpret_cast<const char*>(array.raw.data()), array.raw.size()});
}

bool has_all_bytes(const Vocabulary& vocabulary) {
  std::array<bool, 256> found{};
  for (size_t i = 0; i < vocabulary.entries.size(); ++i) {
    if (vocabulary.kinds[i] != TokenKind::kByte) continue;
    const int byte = byte_of_entry(vocabulary.entries[i]);
    if (byte >= 0) found[static_cast<size_t>(byte)] = true;
  }
  return std::find(found.begin(), found.end(), false) == found.end();
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> make_unigram_from_gguf(const Metadata& metadata) {
  Vocabulary vocabulary = TRY(read_gguf_vocabulary(metadata));
  if (vocabulary.scores.empty())
    return fail(Code::kCorrupt, "tokenizer.ggml.scores is missing, which the model 't5' needs");
  vocabulary.add_bos = TRY(metadata.boolean("tokenizer.ggml.add_bos_token", false));
  vocabulary.add_eos = TRY(metadata.boolean("tokenizer.ggml.add_eos_token", true));
  vocabulary.set_affixes();
  const SentencePieceSpaces spaces{
      .add_dummy_prefix = TRY(metadata.boolean("tokenizer.ggml.add_space_prefix", false)),
      .remove_extra_whitespaces =
          TRY(metadata.boolean("tokenizer.ggml.remove_extra_whitespaces", false)),
  };
  vocabulary.decode_rules = {.unescapes_user_defined = true,
                             .strips_entries_only = true,
                             .strips_every_piece = spaces.remove_extra_whitespaces};
  const UnigramOptions options{
      .byte_fallback = has_all_bytes(vocabulary),
      .strips_leading_space = spaces.add_dummy_prefix || spaces.remove_extra_whitespaces};
  Normalizer normalizer;
  normalizer.add(std::make_unique<const SentencePieceNormalizer>(TRY(read_charsmap(metadata)),
                                                                 ByteTrie(), spaces));
  std::vector<double> scores(vocabulary.scores.begin(), vocabulary.scores.end());
  return UnigramTokenizer::make(std::move(vocabulary), std::move(normalizer), PreTokenizer(),
                                std::move(scores), options);
}

}  // namespace hearth
