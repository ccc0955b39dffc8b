#include "tokenizer/vocab_files.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <vector>

#include "tokenizer/scanner.h"

namespace hearth {
namespace {

Json object(std::initializer_list<Json::Member> members) { return Json::Object(members); }

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// What a class of tokenizer names its tokens where the files do not say, in the order in which
// transformers adds them.
using SpecialNames = std::vector<std::pair<std::string_view, std::string_view>>;

constexpr std::string_view kClip =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}])"
    R"(|[^\s\p{L}\p{N}]+)";

class Builder {
 public:
  explicit Builder(const VocabFiles& files) : files_(files) {}

  // The text of a special token; empty where there is none.
  std::string special(std::string_view name, std::string_view fallback) const {
    for (const Json* source : {&files_.config, &files_.special_map}) {
      const Json* value = source->find(name);
      if (!value) continue;
      const Json& text = value->is_object() ? (*value)["content"] : *value;
      return text.is_string() ? text.as_string() : std::string();
    }
    return std::string(fallback);
  }

  bool flag(std::string_view name, bool fallback) const {
    const Json& value = files_.config[name];
    return value.is_bool() ? value.as_bool() : fallback;
  }

  Json bpe_model(std::string_view unknown, std::string_view suffix) const {
    Json::Array merges;
    for (const std::string_view line : lines_of(files_.merges)) {
      const size_t space = line.find(' ');
      if (line.starts_with("#version") || space == std::string_view::npos) continue;
      merges.push_back(Json::Array{Json(line.substr(0, space)), Json(line.substr(space + 1))});
    }
    Json out = object({{"type", "BPE"}, {"end_of_word_suffix", suffix}, {"vocab", files_.vocab},
                       {"merges", std::move(merges)}});
    if (!unknown.empty()) out.set("unk_token", unknown);
    return out;
  }

  // Of two equal lines the later counts.
  Json words_model() const {
    std::map<std::string_view, int64_t> ids;
    int64_t next = 0;
    for (const std::string_view line : lines_of(files_.words)) ids[line] = next++;
    std::vector<std::pair<int64_t, std::string_view>> sorted;
    for (const auto& [text, id] : ids) sorted.emplace_back(id, text);
    std::sort(sorted.begin(), sorted.end());
    Json::Object vocab;
    for (const auto& [id, text] : sorted) vocab.emplace_back(std::string(text), Json(id));
    return object({{"type", "WordPiece"}, {"unk_token", special("unk_token", "[UNK]")},
                   {"continuing_subword_prefix", "##"}, {"max_input_chars_per_word", 100},
                   {"vocab", std::move(vocab)}});
  }

  Json byte_level(bool pattern) const {
    return object({{"type", "ByteLevel"}, {"add_prefix_space", flag("add_prefix_space", false)},
                   {"use_regex", pattern}});
  }

  // Tokens of the files by their id, then special tokens that are not among them.
  Json added_tokens(const SpecialNames& names) const {
    std::set<std::string> special_texts;
    for (const auto& [name, fallback] : names) special_texts.insert(special(name, fallback));
    std::map<int64_t, Json> by_id;
    read_decoder(by_id);
    read_added(special_texts, by_id);
    Json::Array out;
    std::set<std::string> known;
    for (auto& [id, token] : by_id) {
      token.set("id", id);
      if (special_texts.contains(token["content"].as_string())) token.set("special", true);
      known.insert(token["content"].as_string());
      out.push_back(std::move(token));
    }
    for (const auto& [name, fallback] : names) {
      const std::string text = special(name, fallback);
      if (text.empty() || !known.insert(text).second) continue;
      out.push_back(special_token(name, text));
    }
    return out;
  }

  // RoBERTa's and BERT's processors name ids, which only entries of the vocabulary have for sure.
  Json processor(std::string_view type, std::string_view cls, std::string_view sep) const {
    return object({{"type", type}, {"cls", Json::Array{Json(cls), Json(id_of(cls))}},
                   {"sep", Json::Array{Json(sep), Json(id_of(sep))}}});
  }

  const VocabFiles& files() const { return files_; }

 private:
  int64_t id_of(std::string_view text) const {
    if (!files_.vocab.is_null()) {
      const Json& id = files_.vocab[text];
      return id.is_int() ? id.as_int() : -1;
    }
    const auto lines = lines_of(files_.words);
    const auto found = std::find(lines.rbegin(), lines.rend(), text);
    return lines.rend() - found - 1;
  }

  // tokenizer_config.json: "added_tokens_decoder": {"5": {"content": "<s>", ...}}
  void read_decoder(std::map<int64_t, Json>& by_id) const {
    const Json& decoder = files_.config["added_tokens_decoder"];
    if (!decoder.is_object()) return;
    for (const auto& [text, token] : decoder.as_object()) {
      int64_t id = 0;
      const char* end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data(), end, id);
      if (error == std::errc{} && stop == end && token["content"].is_string()) by_id[id] = token;
    }
  }

  // added_tokens.json: {"<s>": 5}, where the configuration has no tokens.
  void read_added(const std::set<std::string>& special_texts,
                  std::map<int64_t, Json>& by_id) const {
    if (!files_.added.is_object() || files_.config["added_tokens_decoder"].is_object()) return;
    for (const auto& [text, id] : files_.added.as_object())
      if (id.is_int())
        by_id[id.as_int()] =
            object({{"content", text}, {"special", special_texts.contains(text)}});
  }

  // A special token as the file writes it: a text, or an object with flags.
  Json special_token(std::string_view name, const std::string& text) const {
    Json out = object({{"content", text}});
    for (const Json* source : {&files_.config, &files_.special_map}) {
      const Json& value = (*source)[name];
      if (!value.is_object()) continue;
      out = value;
      break;
    }
    out.set("special", true);
    out.set("id", 0);
    return out;
  }

  const VocabFiles& files_;
};

Json assemble(const Builder& builder, const SpecialNames& names, Json model, Json normalizer,
              Json pre_tokenizer, Json decoder) {
  return object({{"added_tokens", builder.added_tokens(names)},
                 {"normalizer", std::move(normalizer)},
                 {"pre_tokenizer", std::move(pre_tokenizer)}, {"decoder", std::move(decoder)},
                 {"model", std::move(model)}});
}

Json split(std::string_view pattern, std::string_view behavior, bool invert) {
  return object({{"type", "Split"}, {"pattern", object({{"Regex", pattern}})},
                 {"behavior", behavior}, {"invert", invert}});
}

Json steps(std::string_view member, Json::Array parts) {
  return object({{"type", "Sequence"}, {std::string(member), std::move(parts)}});
}

Json gpt2(const Builder& builder) {
  const SpecialNames names = {{"bos_token", "<|endoftext|>"}, {"eos_token", "<|endoftext|>"},
                              {"unk_token", "<|endoftext|>"}, {"pad_token", ""}};
  return assemble(builder, names, builder.bpe_model("", ""), nullptr, builder.byte_level(true),
                  object({{"type", "ByteLevel"}}));
}

Json qwen2(const Builder& builder) {
  const SpecialNames names = {{"bos_token", ""}, {"eos_token", "<|endoftext|>"},
                              {"unk_token", "<|endoftext|>"}, {"pad_token", "<|endoftext|>"}};
  return assemble(builder, names, builder.bpe_model("", ""), object({{"type", "NFC"}}),
                  steps("pretokenizers", {split(patterns::kQwen2, "Isolated", false),
                                          builder.byte_level(false)}),
                  object({{"type", "ByteLevel"}}));
}

Json roberta(const Builder& builder) {
  const SpecialNames names = {{"bos_token", "<s>"},   {"eos_token", "</s>"}, {"unk_token", "<unk>"},
                              {"sep_token", "</s>"},  {"pad_token", "<pad>"}, {"cls_token", "<s>"},
                              {"mask_token", "<mask>"}};
  Json out = assemble(builder, names, builder.bpe_model("", ""), nullptr, builder.byte_level(true),
                      object({{"type", "ByteLevel"}}));
  out.set("post_processor",
          builder.processor("RobertaProcessing", builder.special("cls_token", "<s>"),
                            builder.special("sep_token", "</s>")));
  return out;
}

Json clip(const Builder& builder) {
  const SpecialNames names = {{"bos_token", "<|startoftext|>"}, {"eos_token", "<|endoftext|>"},
                              {"unk_token", "<|endoftext|>"}, {"pad_token", "<|endoftext|>"}};
  Json spaces = object({{"type", "Replace"}, {"pattern", object({{"Regex", R"(\s+)"}})},
                        {"content", " "}});
  Json normalizer = steps("normalizers", {object({{"type", "NFC"}}), std::move(spaces),
                                          object({{"type", "Lowercase"}})});
  Json byte_level = object({{"type", "ByteLevel"}, {"add_prefix_space", false}});
  Json out = assemble(
      builder, names, builder.bpe_model(builder.special("unk_token", "<|endoftext|>"), "</w>"),
      std::move(normalizer),
      steps("pretokenizers", {split(kClip, "Removed", true), std::move(byte_level)}),
      object({{"type", "ByteLevel"}}));
  out.set("post_processor",
          builder.processor("RobertaProcessing", builder.special("bos_token", "<|startoftext|>"),
                            builder.special("eos_token", "<|endoftext|>")));
  return out;
}

Json bert(const Builder& builder) {
  const SpecialNames names = {{"unk_token", "[UNK]"}, {"sep_token", "[SEP]"},
                              {"pad_token", "[PAD]"}, {"cls_token", "[CLS]"},
                              {"mask_token", "[MASK]"}};
  const Json& accents = builder.files().config["strip_accents"];
  Json normalizer = object({{"type", "BertNormalizer"}, {"clean_text", true},
                            {"handle_chinese_chars", builder.flag("tokenize_chinese_chars", true)},
                            {"strip_accents", accents},
                            {"lowercase", builder.flag("do_lower_case", true)}});
  Json out = assemble(builder, names, builder.words_model(), std::move(normalizer),
                      object({{"type", "BertPreTokenizer"}}), object({{"type", "WordPiece"}}));
  out.set("post_processor",
          builder.processor("BertProcessing", builder.special("cls_token", "[CLS]"),
                            builder.special("sep_token", "[SEP]")));
  return out;
}

struct Row {
  std::string_view names;  // without "Tokenizer" and "Fast", between spaces
  bool words;              // of vocab.txt
  Json (*make)(const Builder&);
};

constexpr Row kRows[] = {
    {" GPT2 CodeGen GPTNeoX PreTrained ", false, gpt2},
    {" Qwen2 ", false, qwen2},
    {" Roberta Bart Longformer LED ", false, roberta},
    {" CLIP ", false, clip},
    {" Bert DistilBert Electra MobileBert ", true, bert},
};

}  // namespace

Result<Json> tokenizer_json_of(const VocabFiles& files) {
  const bool words = files.vocab.is_null();
  std::string name = TRY(files.config.get_string("tokenizer_class", words ? "Bert" : "GPT2"));
  for (const std::string_view ending : {"Fast", "Tokenizer"})
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  for (const Row& row : kRows) {
    if (row.words != words || row.names.find(" " + name + " ") == std::string_view::npos) continue;
    return row.make(Builder(files));
  }
  return fail(Code::kUnsupported,
              "a folder without tokenizer.json: the class '{}' is not supported",
              name.substr(0, 100));
}

}  // namespace hearth
