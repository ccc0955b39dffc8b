#include "tokenizer/hugging_face.h"

#include <algorithm>

#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/hugging_face_parts.h"
#include "tokenizer/merge_reader.h"

namespace hearth {
namespace {

Result<size_t> read_id(const Json& json, std::string_view what) {
  if (!json.is_int() || json.as_int() < 0 || json.as_int() >= static_cast<int64_t>(kEntriesMax))
    return fail(Code::kCorrupt, "tokenizer.json: the id of '{}' is not a number below {}",
                what.substr(0, 100), kEntriesMax);
  return static_cast<size_t>(json.as_int());
}

void put_entry(Vocabulary& out, size_t id, std::string_view text, TokenKind kind) {
  if (id >= out.entries.size()) {
    out.entries.resize(id + 1);
    out.kinds.resize(id + 1, TokenKind::kUnused);
  }
  out.entries[id] = text;
  out.kinds[id] = kind;
}

Result<void> read_model_entries(const Json& model, bool byte_fallback, Vocabulary& out) {
  const Json& vocab = model["vocab"];
  if (!vocab.is_object() || vocab.as_object().empty())
    return fail(Code::kCorrupt, "tokenizer.json: model.vocab is no object with entries");
  const size_t count = vocab.as_object().size();
  // Room for what is there; a wild id makes at most kEntriesMax empty entries.
  out.entries.reserve(std::min(count, kEntriesMax));
  for (const auto& [text, id] : vocab.as_object()) {
    const bool byte = byte_fallback && byte_of_entry(text) >= 0;
    put_entry(out, TRY(read_id(id, text)), text, byte ? TokenKind::kByte : TokenKind::kNormal);
  }
  return {};
}

Result<void> read_added_tokens(const Json& json, const Normalizer& normalizer, Vocabulary& out) {
  if (json.is_null()) return {};
  if (!json.is_array()) return fail(Code::kCorrupt, "tokenizer.json: added_tokens is no array");
  if (json.as_array().size() > kEntriesMax)
    return fail(Code::kTooLarge, "tokenizer.json: {} added_tokens", json.as_array().size());
  RegexScratch scratch;
  for (const Json& item : json.as_array()) {
    SpecialToken token;
    token.text = TRY(item.get_string("content", ""));
    const size_t id = TRY(read_id(item["id"], token.text));
    token.id = static_cast<TokenId>(id);
    token.control = TRY(item.get_bool("special", false));
    token.strip_left = TRY(item.get_bool("lstrip", false));
    token.strip_right = TRY(item.get_bool("rstrip", false));
    token.single_word = TRY(item.get_bool("single_word", false));
    put_entry(out, id, token.text,
              token.control ? TokenKind::kControl : TokenKind::kUserDefined);
    if (TRY(item.get_bool("normalized", !token.control))) {
      token.text = normalizer.run(token.text, scratch);
      out.normalized_specials.push_back(std::move(token));
    } else {
      out.specials.push_back(std::move(token));
    }
  }
  return {};
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
  TRY(read_post_processor(tokenizer["post_processor"], out));
  out.bos = token_of(config, "bos_token", out);
  out.eos = token_of(config, "eos_token", out);
  if (out.bos < 0 && out.prefix.size() == 1) out.bos = out.prefix[0];
  if (out.eos < 0 && out.suffix.size() == 1) out.eos = out.suffix[0];
  const auto overrule = [&](std::string_view name, TokenId id, std::vector<TokenId>& affix) {
    const Json& flag = config[name];
    if (!flag.is_bool() || id < 0) return;
    const bool there = std::find(affix.begin(), affix.end(), id) != affix.end();
    if (flag.as_bool() && !there) affix.push_back(id);
    if (!flag.as_bool()) std::erase(affix, id);
  };
  overrule("add_bos_token", out.bos, out.prefix);
  overrule("add_eos_token", out.eos, out.suffix);
  const auto has = [](const std::vector<TokenId>& ids, TokenId id) {
    return id >= 0 && std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  out.add_bos = has(out.prefix, out.bos);
  out.add_eos = has(out.suffix, out.eos);
  return {};
}

// A merge is "left right" or ["left", "right"].
Result<MergeTable> read_merge_list(const Json& model, const Vocabulary& vocabulary) {
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
  ReadMerges read = read_merges(vocabulary, pairs, true);
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

Result<void> check_model(const Json& model) {
  const std::string type = TRY(model.get_string("type", model.find("merges") ? "BPE" : ""));
  if (type != "BPE")
    return fail(Code::kUnsupported, "tokenizer.json: the model '{}' is not supported", type);
  for (const auto* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json& value = model[name];
    if (value.is_string() && !value.as_string().empty())
      return fail(Code::kUnsupported, "tokenizer.json: model.{} '{}' is not supported", name,
                  value.as_string());
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> make_from_hugging_face(const Json& tokenizer,
                                                                const Json& config) {
  const Json& model = tokenizer["model"];
  TRY(check_model(model));
  PreTokenizerPart pre = TRY(read_pre_tokenizer(tokenizer["pre_tokenizer"]));
  const DecoderPart decoder = TRY(read_decoder(tokenizer["decoder"]));
  const BpeOptions options{
      .byte_level = pre.byte_level,
      .ignore_merges = TRY(model.get_bool("ignore_merges", false)),
      .byte_fallback = TRY(model.get_bool("byte_fallback", false)),
      .fuse_unknown = TRY(model.get_bool("fuse_unk", false)),
      .unescape_spaces = decoder.unescape_spaces,
      .strips_leading_space = decoder.strips_leading_space,
  };
  Normalizer normalizer = TRY(Normalizer::from_json(tokenizer["normalizer"]));
  Vocabulary vocabulary;
  TRY(read_model_entries(model, options.byte_fallback, vocabulary));
  TRY(read_added_tokens(tokenizer["added_tokens"], normalizer, vocabulary));
  vocabulary.index.build(vocabulary.entries);
  vocabulary.unknown = token_of(model, "unk_token", vocabulary);
  TRY(read_affixes(tokenizer, config, vocabulary));
  find_end_ids(vocabulary, {});
  vocabulary.model_name = options.byte_level ? "gpt2" : "llama";
  if (options.byte_level) vocabulary.pre_name = name_of_patterns(pre.patterns);
  MergeTable merges = TRY(read_merge_list(model, vocabulary));
  TRY(pre.steps.finish());
  return std::make_shared<const BpeTokenizer>(std::move(vocabulary), std::move(normalizer),
                                              std::move(pre.steps), std::move(merges), options);
}

}  // namespace hearth
