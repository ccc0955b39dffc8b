// From a SentencePieceModel and what lies beside it to a tokenizer.
#include <algorithm>
#include <charconv>
#include <limits>

#include "base/out_of_memory.h"
#include "tokenizer/sentencepiece_file.h"
#include "tokenizer/sentencepiece_tokenizer.h"
#include "tokenizer/sentencepiece_words.h"
#include "tokenizer/unigram_tokenizer.h"

namespace hearth {
namespace {

// What transformers' classes put around a text, and which give the pieces other ids than the file.
struct ClassRow {
  std::string_view name;
  bool add_bos = false, add_eos = false;
  bool encloses = false;    // [CLS] text [SEP], and ALBERT's own normalization
  bool extra_ids = false;   // T5's sentinels follow the pieces
  bool first_only = false;  // only the first part of a text gets the dummy prefix
  bool own_ids = false;
};

constexpr ClassRow kClasses[] = {
    {.name = "LlamaTokenizer", .add_bos = true, .first_only = true},
    {.name = "CodeLlamaTokenizer", .add_bos = true, .first_only = true},
    {.name = "InternLM2Tokenizer", .add_bos = true},
    {.name = "GemmaTokenizer", .add_bos = true},
    {.name = "T5Tokenizer", .add_eos = true, .extra_ids = true},
    {.name = "AlbertTokenizer", .encloses = true},
    {.name = "BarthezTokenizer", .own_ids = true},
    {.name = "CamembertTokenizer", .own_ids = true},
    {.name = "MarianTokenizer", .own_ids = true},
    {.name = "MBartTokenizer", .own_ids = true},
    {.name = "MBart50Tokenizer", .own_ids = true},
    {.name = "M2M100Tokenizer", .own_ids = true},
    {.name = "NllbTokenizer", .own_ids = true},
    {.name = "PegasusTokenizer", .own_ids = true},
    {.name = "XGLMTokenizer", .own_ids = true},
    {.name = "XLMRobertaTokenizer", .own_ids = true},
};

Result<ClassRow> class_of(const Json& config) {
  std::string name = TRY(config.get_string("tokenizer_class", ""));
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  for (const ClassRow& row : kClasses) {
    if (row.name != name) continue;
    if (row.own_ids)
      return fail(Code::kUnsupported,
                  "the class {} gives ids of its own to the pieces of a tokenizer.model: its "
                  "tokenizer.json is needed",
                  name);
    return row;
  }
  return ClassRow{};
}

Result<void> add_token(Vocabulary& out, size_t pieces, SpecialToken token) {
  const auto id = static_cast<size_t>(token.id);
  if (id < pieces && out.entries[id] != token.text)
    return fail(Code::kUnsupported, "the added token '{}' has the id {} of another piece",
                token.text.substr(0, 100), id);
  if (id >= out.entries.size()) {
    out.entries.resize(id + 1);
    out.kinds.resize(id + 1, TokenKind::kUnused);
  }
  if (id >= pieces) {
    out.entries[id] = token.text;
    out.kinds[id] = token.control ? TokenKind::kControl : TokenKind::kUserDefined;
  }
  std::erase_if(out.specials, [&](const SpecialToken& t) { return t.text == token.text; });
  out.specials.push_back(std::move(token));
  return {};
}

// added_tokens_decoder: {"32000": {"content": "<pad>", "special": true, ...}, ...}
Result<void> add_decoder_tokens(const Json& json, size_t pieces, Vocabulary& out) {
  if (!json.is_object()) return {};
  for (const auto& [key, item] : json.as_object()) {
    SpecialToken token;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token.id);
    if (error != std::errc{} || end != key.data() + key.size() || token.id < 0 ||
        static_cast<size_t>(token.id) >= kEntriesMax)
      return fail(Code::kCorrupt, "tokenizer_config.json: added_tokens_decoder: the id '{}'",
                  key.substr(0, 100));
    token.text = TRY(item.get_string("content", ""));
    token.control = TRY(item.get_bool("special", false));
    token.strip_left = TRY(item.get_bool("lstrip", false));
    token.strip_right = TRY(item.get_bool("rstrip", false));
    token.single_word = TRY(item.get_bool("single_word", false));
    TRY(add_token(out, pieces, std::move(token)));
  }
  return {};
}

// added_tokens.json: {"<pad>": 32000, ...}
Result<void> add_listed_tokens(const Json& json, size_t pieces, Vocabulary& out) {
  if (!json.is_object()) return {};
  for (const auto& [text, id] : json.as_object()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() >= static_cast<int64_t>(kEntriesMax))
      return fail(Code::kCorrupt, "added_tokens.json: the id of '{}'", text.substr(0, 100));
    TRY(add_token(out, pieces, {.text = text, .id = static_cast<TokenId>(id.as_int())}));
  }
  return {};
}

// T5's sentinels count down from the last id.
Result<void> add_extra_ids(const Json& config, size_t pieces, Vocabulary& out) {
  const int64_t count = TRY(config.get_int("extra_ids", 100));
  if (count < 0 || count > 100000 || pieces + static_cast<size_t>(count) > kEntriesMax)
    return fail(Code::kInvalid, "tokenizer_config.json: extra_ids {}", count);
  for (int64_t i = 0; i < count; ++i)
    TRY(add_token(out, pieces,
                  {.text = fmt::format("<extra_id_{}>", i),
                   .id = static_cast<TokenId>(static_cast<int64_t>(pieces) + count - 1 - i),
                   .control = true}));
  return {};
}

// "bos_token": "<s>" or {"content": "<s>"}; a null says that there is none.
TokenId token_of(const Json& config, std::string_view name, std::string_view fallback,
                 const Vocabulary& vocabulary) {
  const Json* value = config.find(name);
  if (!value) return vocabulary.find(fallback);
  const Json& text = value->is_object() ? (*value)["content"] : *value;
  return text.is_string() ? vocabulary.find(text.as_string()) : -1;
}

Result<void> set_ends(const Json& config, const ClassRow& row, const SentencePieceModel& model,
                      Vocabulary& out) {
  out.bos = token_of(config, "bos_token", model.bos_piece, out);
  out.eos = token_of(config, "eos_token", model.eos_piece, out);
  out.add_bos = TRY(config.get_bool("add_bos_token", row.add_bos));
  out.add_eos = TRY(config.get_bool("add_eos_token", row.add_eos));
  out.set_affixes();
  if (row.encloses) {
    const TokenId cls = token_of(config, "cls_token", "[CLS]", out);
    const TokenId sep = token_of(config, "sep_token", "[SEP]", out);
    if (cls >= 0) out.prefix = {cls};
    if (sep >= 0) out.suffix = {sep};
  }
  find_end_ids(out, {});
  return {};
}

Result<ByteTrie> user_defined_trie(const SentencePieceModel& model) {
  std::vector<ByteTrie::Item> items;
  for (size_t i = 0; i < model.pieces.size(); ++i)
    if (model.kinds[i] == TokenKind::kUserDefined)
      items.emplace_back(model.pieces[i], static_cast<TokenId>(i));
  return ByteTrie::build(items);
}

// What ALBERT does before SentencePiece.
Result<Normalizer> albert_normalizer(const Json& config) {
  std::string steps = R"({"type": "Replace", "pattern": {"String": "``"}, "content": "\""},
                         {"type": "Replace", "pattern": {"String": "''"}, "content": "\""})";
  if (!TRY(config.get_bool("keep_accents", false)))
    steps += R"(, {"type": "NFKD"}, {"type": "StripAccents"})";
  if (TRY(config.get_bool("do_lower_case", true))) steps += R"(, {"type": "Lowercase"})";
  return Normalizer::from_json(
      TRY(Json::parse(R"({"type": "Sequence", "normalizers": [)" + steps + "]}")));
}

Result<Normalizer> make_normalizer(const SentencePieceModel& model, const Json& config,
                                   const ClassRow& row) {
  Normalizer out;
  if (row.encloses) out = TRY(albert_normalizer(config));
  out.add(std::make_unique<const SentencePieceNormalizer>(
      TRY(Charsmap::parse(model.charsmap)), TRY(user_defined_trie(model)), model.spaces));
  return out;
}

Result<DecodeRules> make_decode_rules(const SentencePieceModel& model) {
  DecodeRules out{.unknown_text = model.unknown_text,
                  .unescapes_user_defined = true,
                  .strips_entries_only = true,
                  .strips_every_piece = model.spaces.remove_extra_whitespaces};
  if (model.denormalizer_charsmap.empty()) return out;
  const auto normalizer = std::make_shared<const SentencePieceNormalizer>(
      TRY(Charsmap::parse(model.denormalizer_charsmap)), ByteTrie(), model.denormalizer_spaces);
  out.rewrite = [normalizer](std::string_view text) { return normalizer->rewrite(text); };
  return out;
}

Result<std::shared_ptr<const Tokenizer>> make_kind(const SentencePieceModel& model,
                                                   Vocabulary vocabulary, Normalizer normalizer) {
  using Type = SentencePieceModel::Type;
  const bool strips =
      model.spaces.add_dummy_prefix || model.spaces.remove_extra_whitespaces;
  if (model.type == Type::kUnigram) {
    std::vector<double> scores(vocabulary.scores.begin(), vocabulary.scores.end());
    return UnigramTokenizer::make(
        std::move(vocabulary), std::move(normalizer), PreTokenizer(), std::move(scores),
        {.byte_fallback = model.byte_fallback, .strips_leading_space = strips});
  }
  ByteTrie user_defined = TRY(user_defined_trie(model));
  if (model.type == Type::kBpe)
    return std::make_shared<const SentencePieceTokenizer>(
        std::move(vocabulary), std::move(normalizer), strips, std::move(user_defined));
  return std::make_shared<const SentencePieceWords>(std::move(vocabulary), std::move(normalizer),
                                                    strips, model.type == Type::kChar,
                                                    std::move(user_defined));
}

Result<std::shared_ptr<const Tokenizer>> make(std::string_view bytes, const Json& config,
                                              const Json& added) {
  const SentencePieceModel model = TRY(parse_sentencepiece(bytes));
  const ClassRow row = TRY(class_of(config));
  constexpr std::string_view kNames[] = {"", "t5", "llama", "word", "char"};
  const size_t pieces = model.pieces.size();
  Vocabulary vocabulary;
  vocabulary.entries = model.pieces;
  vocabulary.kinds = model.kinds;
  vocabulary.model_name = kNames[static_cast<size_t>(model.type)];
  for (size_t i = 0; i < pieces; ++i)
    if (model.kinds[i] == TokenKind::kControl || model.kinds[i] == TokenKind::kUnknown)
      vocabulary.specials.push_back(
          {.text = model.pieces[i], .id = static_cast<TokenId>(i), .control = true});
  TRY(add_listed_tokens(added, pieces, vocabulary));
  TRY(add_decoder_tokens(config["added_tokens_decoder"], pieces, vocabulary));
  if (row.extra_ids && vocabulary.entries.size() == pieces)
    TRY(add_extra_ids(config, pieces, vocabulary));
  vocabulary.scores = model.scores;
  vocabulary.scores.resize(vocabulary.entries.size(), std::numeric_limits<float>::quiet_NaN());
  vocabulary.index.build(vocabulary.entries);
  vocabulary.unknown = model.unknown;
  TRY(set_ends(config, row, model, vocabulary));
  vocabulary.decode_rules = TRY(make_decode_rules(model));
  const SentencePieceSpaces& spaces = model.spaces;
  if (spaces.add_dummy_prefix && !spaces.treat_whitespace_as_suffix && row.first_only &&
      !TRY(config.get_bool("legacy", false)))
    vocabulary.first_prefix = spaces.escape_whitespaces ? "\xE2\x96\x81" : " ";
  return make_kind(model, std::move(vocabulary), TRY(make_normalizer(model, config, row)));
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> make_from_sentencepiece(std::string_view bytes,
                                                                 const Json& config,
                                                                 const Json& added) {
  return catching_bad_alloc([&] { return make(bytes, config, added); });
}

}  // namespace hearth
