#include "tokenizer/hugging_face.h"

#include <algorithm>
#include <limits>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/decoder.h"
#include "tokenizer/limits.h"
#include "tokenizer/merge_reader.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pre_tokenizer_json.h"
#include "tokenizer/unigram_tokenizer.h"
#include "tokenizer/word_tokenizer.h"

namespace hearth {
namespace {

using Made = Result<std::shared_ptr<const Tokenizer>>;

// The parts of a tokenizer.json that have been read when the model is made.
struct Parts {
  Vocabulary vocabulary;
  Normalizer normalizer;
  PreTokenizerPart pre;
};

// The entries of a model whose "vocab" is {text: id}.
Result<size_t> read_entry_map(const Json& model, Vocabulary& out) {
  const Json& vocab = model["vocab"];
  if (!vocab.is_object() || vocab.as_object().empty())
    return fail(Code::kCorrupt, "tokenizer.json: model.vocab is no object with entries");
  const size_t count = vocab.as_object().size();
  const bool bytes = model["byte_fallback"] == Json(true);
  // Room for what is there; a wild id makes at most kEntriesMax empty entries.
  out.entries.reserve(std::min(count, kEntriesMax));
  for (const auto& [text, id] : vocab.as_object()) {
    const bool byte = bytes && byte_of_entry(text) >= 0;
    put_entry(out, TRY(read_entry_id(id, text)), text,
              byte ? TokenKind::kByte : TokenKind::kNormal);
  }
  return count;
}

// The entries of a model whose "vocab" is [[text, score]].
Result<size_t> read_entry_list(const Json& model, Vocabulary& out) {
  const Json& vocab = model["vocab"];
  if (!vocab.is_array() || vocab.as_array().empty())
    return fail(Code::kCorrupt, "tokenizer.json: model.vocab is no array with entries");
  const Json::Array& items = vocab.as_array();
  if (items.size() > kEntriesMax)
    return fail(Code::kTooLarge, "tokenizer.json: {} entries (at most {})", items.size(),
                kEntriesMax);
  const bool bytes = model["byte_fallback"] == Json(true);
  for (size_t id = 0; id < items.size(); ++id) {
    const Json& item = items[id];
    if (!item.is_array() || item.as_array().size() != 2 || !item.as_array()[0].is_string() ||
        !item.as_array()[1].is_number())
      return fail(Code::kCorrupt, "tokenizer.json: entry {} is no [text, score]", id);
    const std::string& text = item.as_array()[0].as_string();
    const bool byte = bytes && byte_of_entry(text) >= 0;
    put_entry(out, id, text, byte ? TokenKind::kByte : TokenKind::kNormal);
  }
  return items.size();
}

// "bos_token": "<s>" or {"content": "<s>"}
TokenId token_of(const Json& config, std::string_view name, const Vocabulary& vocabulary) {
  const Json& value = config[name];
  const Json& text = value.is_object() ? value["content"] : value;
  return text.is_string() ? vocabulary.find(text.as_string()) : -1;
}

// add_bos_token and add_eos_token of tokenizer_config.json, where they are there, overrule the
// post-processor.
Result<void> read_affixes(const Json& tokenizer, const Json& config, Vocabulary& out) {
  PostProcessor post =
      TRY(PostProcessor::from_json(tokenizer["post_processor"], out.entries.size()));
  const bool plain = post.affixes(out.prefix, out.suffix);
  out.bos = token_of(config, "bos_token", out);
  out.eos = token_of(config, "eos_token", out);
  if (out.bos < 0 && out.prefix.size() == 1) out.bos = out.prefix[0];
  if (out.eos < 0 && out.suffix.size() == 1) out.eos = out.suffix[0];
  bool overruled = false;
  const auto overrule = [&](std::string_view name, TokenId id, std::vector<TokenId>& affix) {
    const Json& flag = config[name];
    if (!flag.is_bool() || id < 0 || !plain) return;
    const bool there = std::find(affix.begin(), affix.end(), id) != affix.end();
    if (flag.as_bool() == there) return;
    if (flag.as_bool()) affix.push_back(id);
    else std::erase(affix, id);
    overruled = true;
  };
  overrule("add_bos_token", out.bos, out.prefix);
  overrule("add_eos_token", out.eos, out.suffix);
  if (overruled) post = PostProcessor(out.prefix, out.suffix);
  out.post_processor = std::make_shared<const PostProcessor>(std::move(post));
  const auto has = [](const std::vector<TokenId>& ids, TokenId id) {
    return id >= 0 && std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  out.add_bos = has(out.prefix, out.bos);
  out.add_eos = has(out.suffix, out.eos);
  return {};
}

// A merge is "left right" or ["left", "right"].
Result<std::vector<MergePair>> read_pairs(const Json& model) {
  const Json& json = model["merges"];
  if (!json.is_array()) return fail(Code::kCorrupt, "tokenizer.json: model.merges is no array");
  const Json::Array& items = json.as_array();
  if (items.size() > kEntriesMax)
    return fail(Code::kTooLarge, "tokenizer.json: {} merges (at most {})", items.size(),
                kEntriesMax);
  std::vector<MergePair> pairs;
  pairs.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    const Json& item = items[i];
    if (item.is_string()) {
      const std::string_view line = item.as_string();
      if (line.starts_with("#version")) continue;
      const size_t space = line.find(' ', line.empty() ? 0 : 1);
      if (space == std::string_view::npos)
        return fail(Code::kCorrupt, "tokenizer.json: merge {} is no pair", i);
      pairs.push_back({line.substr(0, space), line.substr(space + 1)});
    } else if (item.is_array() && item.as_array().size() == 2 &&
               item.as_array()[0].is_string() && item.as_array()[1].is_string()) {
      pairs.push_back({item.as_array()[0].as_string(), item.as_array()[1].as_string()});
    } else {
      return fail(Code::kCorrupt, "tokenizer.json: merge {} is no pair", i);
    }
  }
  return pairs;
}

// `prefix`: of entries that stand behind others; the joined entry has only the left one's.
Result<MergeTable> read_merge_table(const Json& model, std::string_view prefix,
                                    const Vocabulary& vocabulary) {
  const std::vector<MergePair> pairs = TRY(read_pairs(model));
  ReadMerges read;
  if (prefix.empty()) {
    read = read_merges(vocabulary, pairs, true);
  } else {
    read.table.reserve(pairs.size());
    for (size_t rank = 0; rank < pairs.size() && !read.unknown; ++rank) {
      const auto& [left, right] = pairs[rank];
      const TokenId left_id = vocabulary.find(left), right_id = vocabulary.find(right);
      std::string text(left);
      text += right.substr(std::min(right.size(), prefix.size()));
      const TokenId joined = vocabulary.find(text);
      if (left_id < 0 || right_id < 0 || joined < 0) read.unknown = rank;
      else if (vocabulary.kinds[static_cast<size_t>(joined)] != TokenKind::kControl)
        read.table.add(left_id, right_id, {static_cast<uint32_t>(rank), joined}, true);
    }
  }
  if (read.unknown)
    return fail(Code::kCorrupt, "tokenizer.json: merge {} names an entry that is not there",
                *read.unknown);
  return std::move(read.table);
}

// The name in the table of tokenizer.ggml.pre that has these patterns, or nothing.
std::string name_of_patterns(const std::vector<std::string>& wanted) {
  for (const PreTokenizerRow* row : pre_tokenizer_rows()) {
    if (!std::equal(wanted.begin(), wanted.end(), row->patterns.begin(), row->patterns.end()))
      continue;
    const std::string_view names = row->names.substr(1);
    return std::string(names.substr(0, names.find(' ')));
  }
  return {};
}

// Whether every byte has its character of the byte-level alphabet.
bool has_alphabet(const Vocabulary& vocabulary) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string text;
    append_utf8(text, byte_to_alphabet(static_cast<uint8_t>(byte)));
    if (vocabulary.find(text) < 0) return false;
  }
  return true;
}

// A member that may be null, which counts as absent.
Result<std::string> text_or_none(const Json& json, std::string_view name) {
  if (json[name].is_null()) return std::string();
  return json.get_string(name, "");
}
Result<bool> flag_or_false(const Json& json, std::string_view name) {
  if (json[name].is_null()) return false;
  return json.get_bool(name, false);
}

Made make_bpe(const Json& model, Parts parts) {
  if (const Json& dropout = model["dropout"]; dropout.is_number() && dropout.as_double() != 0)
    return fail(Code::kUnsupported, "tokenizer.json: model.dropout is not 0");
  Vocabulary& vocabulary = parts.vocabulary;
  vocabulary.unknown = token_of(model, "unk_token", vocabulary);
  BpeOptions options{
      .ignore_merges = TRY(flag_or_false(model, "ignore_merges")),
      .byte_fallback = TRY(flag_or_false(model, "byte_fallback")),
      .fuse_unknown = TRY(flag_or_false(model, "fuse_unk")),
      .continuing_prefix = TRY(text_or_none(model, "continuing_subword_prefix")),
      .word_suffix = TRY(text_or_none(model, "end_of_word_suffix")),
  };
  const bool plain = options.continuing_prefix.empty() && options.word_suffix.empty();
  const bool drops = vocabulary.unknown < 0 && !options.byte_fallback;
  options.byte_level =
      plain && (drops || has_alphabet(vocabulary)) && parts.pre.steps.drop_byte_level();
  vocabulary.model_name = options.byte_level ? "gpt2" : "llama";
  if (options.byte_level) vocabulary.pre_name = name_of_patterns(parts.pre.patterns);
  MergeTable merges = TRY(read_merge_table(model, options.continuing_prefix, vocabulary));
  TRY(parts.pre.steps.finish());
  return std::make_shared<const BpeTokenizer>(std::move(vocabulary), std::move(parts.normalizer),
                                              std::move(parts.pre.steps), std::move(merges),
                                              options);
}

Made make_wordpiece(const Json& model, Parts parts) {
  const int64_t characters = TRY(model.get_int("max_input_chars_per_word", 100));
  const WordPieceOptions options{
      .continuing_prefix = TRY(model.get_string("continuing_subword_prefix", "##")),
      .characters_max = static_cast<size_t>(std::max<int64_t>(characters, 0))};
  parts.vocabulary.unknown =
      parts.vocabulary.find(TRY(model.get_string("unk_token", "[UNK]")));
  parts.vocabulary.model_name = "bert";
  TRY(parts.pre.steps.finish());
  return WordPieceTokenizer::make(std::move(parts.vocabulary), std::move(parts.normalizer),
                                  std::move(parts.pre.steps), options);
}

Made make_word_level(const Json& model, Parts parts) {
  parts.vocabulary.unknown =
      parts.vocabulary.find(TRY(model.get_string("unk_token", "<unk>")));
  parts.vocabulary.model_name = "word-level";
  TRY(parts.pre.steps.finish());
  return std::make_shared<const WordLevelTokenizer>(
      std::move(parts.vocabulary), std::move(parts.normalizer), std::move(parts.pre.steps));
}

Made make_unigram(const Json& model, Parts parts) {
  Vocabulary& vocabulary = parts.vocabulary;
  const Json::Array& items = model["vocab"].as_array();
  std::vector<double> scores(vocabulary.entries.size(), std::numeric_limits<double>::quiet_NaN());
  for (size_t id = 0; id < items.size(); ++id) scores[id] = items[id].as_array()[1].as_double();
  if (const Json& unknown = model["unk_id"]; !unknown.is_null()) {
    const size_t id = TRY(read_entry_id(unknown, "unk_id"));
    if (id >= items.size())
      return fail(Code::kCorrupt, "tokenizer.json: unk_id {} is no entry", id);
    vocabulary.unknown = static_cast<TokenId>(id);
  }
  vocabulary.model_name = "t5";
  const UnigramOptions options{.rules = UnigramOptions::Rules::kHuggingFace,
                               .byte_fallback = TRY(flag_or_false(model, "byte_fallback"))};
  TRY(parts.pre.steps.finish());
  return UnigramTokenizer::make(std::move(vocabulary), std::move(parts.normalizer),
                                std::move(parts.pre.steps), std::move(scores), options);
}

struct ModelRow {
  std::string_view type;
  // Members by which a file without "type" is known, the first row with all of them counting.
  std::vector<std::string_view> members;
  Result<size_t> (*read_entries)(const Json& model, Vocabulary& out);
  Made (*make)(const Json& model, Parts parts);
};

Result<const ModelRow*> find_model(const Json& model) {
  static const std::vector<ModelRow> kRows = {
      {"BPE", {"vocab", "merges"}, read_entry_map, make_bpe},
      {"WordPiece",
       {"vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"},
       read_entry_map, make_wordpiece},
      {"WordLevel", {"vocab", "unk_token"}, read_entry_map, make_word_level},
      {"Unigram", {"vocab"}, read_entry_list, make_unigram},
  };
  const std::string type = TRY(model.get_string("type", ""));
  for (const ModelRow& row : kRows) {
    const auto has = [&](std::string_view name) { return model.find(name) != nullptr; };
    if (row.type == type) return &row;
    if (type.empty() && std::all_of(row.members.begin(), row.members.end(), has)) return &row;
  }
  return fail(Code::kUnsupported, "tokenizer.json: the model '{}' is not supported",
              type.substr(0, 100));
}

// transformers does not clean up after byte-pair encoding unless it is told twice.
bool cleans_up(const Json& config, const ModelRow& row) {
  return config["clean_up_tokenization_spaces"] == Json(true) &&
         (row.type != "BPE" ||
          config["clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"] ==
              Json(true));
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> make_from_hugging_face(const Json& tokenizer,
                                                                const Json& config) {
  const Json& model = tokenizer["model"];
  const ModelRow& row = *TRY(find_model(model));
  Parts parts;
  Vocabulary& vocabulary = parts.vocabulary;
  parts.pre = TRY(read_pre_tokenizer(tokenizer["pre_tokenizer"]));
  parts.normalizer = TRY(Normalizer::from_json(tokenizer["normalizer"]));
  Decoder decoder = TRY(Decoder::from_json(tokenizer["decoder"]));
  if (cleans_up(config, row)) decoder.add_cleanup();
  vocabulary.decoder = std::make_shared<const Decoder>(std::move(decoder));
  const size_t count = TRY(row.read_entries(model, vocabulary));
  vocabulary.model_end = static_cast<TokenId>(vocabulary.entries.size());
  TRY(read_added_tokens(tokenizer["added_tokens"], parts.normalizer, count, vocabulary));
  vocabulary.index.build(vocabulary.entries);
  TRY(read_affixes(tokenizer, config, vocabulary));
  vocabulary.truncation = TRY(read_truncation(tokenizer["truncation"]));
  vocabulary.padding = TRY(read_padding(tokenizer["padding"], vocabulary.entries.size()));
  find_end_ids(vocabulary, {});
  return row.make(model, std::move(parts));
}

}  // namespace hearth
