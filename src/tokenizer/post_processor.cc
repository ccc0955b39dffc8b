#include "tokenizer/post_processor.h"

#include <algorithm>

namespace hearth {
namespace {

using Item = PostProcessor::Item;
using Items = PostProcessor::Items;
using Parts = std::vector<Items>;  // what the steps hand on, usually one for each text

constexpr size_t kItemsMax = 1024, kCopiesMax = 8;

class Builder {
 public:
  Builder(size_t entries, bool pair, bool special)
      : entries_(entries), pair_(pair), special_(special) {
    parts_.push_back({{Item::Kind::kFirst, -1, 0}});
    if (pair) parts_.push_back({{Item::Kind::kSecond, -1, 1}});
  }

  Result<void> add(const Json& json, int depth) {
    constexpr int kDepthMax = 8;
    const std::string type = TRY(json.get_string("type", ""));
    if (type == "Sequence") {
      const Json& steps = json["processors"];
      if (depth > kDepthMax || !steps.is_array())
        return fail(Code::kCorrupt, "tokenizer.json: post_processor Sequence without its parts");
      for (const Json& step : steps.as_array()) TRY(add(step, depth + 1));
      return {};
    }
    if (type == "ByteLevel") return {};
    if (type == "TemplateProcessing") return add_template(json);
    if (type == "BertProcessing") return surround(json, false);
    if (type == "RobertaProcessing") return surround(json, true);
    return fail(Code::kUnsupported, "tokenizer.json: post_processor '{}' is not supported",
                type.substr(0, 100));
  }

  Result<Items> take() {
    Items all;
    size_t texts = 0;
    for (const Items& part : parts_) all.insert(all.end(), part.begin(), part.end());
    for (const Item& item : all) texts += item.kind != Item::Kind::kId;
    if (all.size() > kItemsMax || texts > kCopiesMax)
      return fail(Code::kUnsupported, "tokenizer.json: a post_processor of {} parts", all.size());
    return all;
  }

  size_t added() const { return added_; }

 private:
  Result<TokenId> read_id(const Json& json) const {
    if (!json.is_int())
      return fail(Code::kCorrupt, "tokenizer.json: post_processor: an id is {}", json.kind());
    const int64_t id = json.as_int();
    if (id < 0 || id >= static_cast<int64_t>(entries_))
      return fail(Code::kCorrupt,
                  "tokenizer.json: post_processor names the id {}, which is no entry", id);
    return static_cast<TokenId>(id);
  }

  // "cls": ["<s>", 0]
  Result<TokenId> read_token(const Json& json, std::string_view name) const {
    const Json& pair = json[name];
    if (!pair.is_array() || pair.as_array().size() != 2)
      return fail(Code::kCorrupt, "tokenizer.json: post_processor: '{}' is no [token, id]", name);
    return read_id(pair.as_array()[1]);
  }

  // BERT: cls A sep B sep. RoBERTa: cls A sep sep B sep, all of the type 0.
  Result<void> surround(const Json& json, bool roberta) {
    const TokenId cls = TRY(read_token(json, "cls")), sep = TRY(read_token(json, "sep"));
    added_ += !pair_ ? 2u : roberta ? 4u : 3u;
    for (size_t i = 0; i < parts_.size(); ++i) {
      Items& part = parts_[i];
      for (Item& item : part)
        if (roberta) item.type_id = 0;
      if (!special_) continue;
      const Item end{Item::Kind::kId, sep, i > 0 && !roberta ? 1 : 0};
      if (i == 0) part.insert(part.begin(), {Item::Kind::kId, cls, 0});
      else if (roberta) part.insert(part.begin(), end);
      part.push_back(end);
    }
    return {};
  }

  Result<void> add_template(const Json& json) {
    if (!json["single"].is_array() || !json["pair"].is_array())
      return fail(Code::kCorrupt, "tokenizer.json: TemplateProcessing without its templates");
    if (parts_.empty() || parts_.size() > 2)
      return fail(Code::kUnsupported, "tokenizer.json: a template behind a template");
    const Json& shape = json[parts_.size() == 2 ? "pair" : "single"];
    Parts made;
    size_t items = 0;
    for (const Json& item : shape.as_array()) {
      if (const Json* text = item.find("Sequence")) made.push_back(TRY(part_of(*text)));
      else TRY(add_special(item["SpecialToken"], json["special_tokens"], made));
      if (!made.empty()) items += made.back().size();
      if (items > kItemsMax)
        return fail(Code::kUnsupported, "tokenizer.json: a template of {} parts", items);
    }
    // What the file counts for one text or two, whatever came before.
    for (const Json& item : json[pair_ ? "pair" : "single"].as_array())
      if (const Json* token = item.find("SpecialToken")) added_ += count_ids(*token, json);
    parts_ = std::move(made);
    return {};
  }

  static size_t count_ids(const Json& token, const Json& json) {
    const Json& name = token["id"];
    if (!name.is_string()) return 0;
    const Json& ids = json["special_tokens"][name.as_string()]["ids"];
    return ids.is_array() ? ids.as_array().size() : 0;
  }

  Result<Items> part_of(const Json& text) const {
    const Json& id = text["id"];
    const size_t index = id == Json("B") ? 1 : 0;
    if ((index == 0 && id != Json("A")) || index >= parts_.size())
      return fail(Code::kCorrupt, "tokenizer.json: a template names a text that is not there");
    Items part = parts_[index];
    const auto type = static_cast<int32_t>(TRY(text.get_int("type_id", 0)));
    for (Item& item : part) item.type_id = type;
    return part;
  }

  Result<void> add_special(const Json& token, const Json& tokens, Parts& made) const {
    const std::string name = TRY(token.get_string("id", ""));
    const auto type = static_cast<int32_t>(TRY(token.get_int("type_id", 0)));
    const Json& ids = tokens[name]["ids"];
    if (!ids.is_array() || ids.as_array().size() > kItemsMax)
      return fail(Code::kCorrupt, "tokenizer.json: TemplateProcessing lacks the ids of '{}'",
                  name.substr(0, 100));
    Items part;
    for (const Json& id : ids.as_array())
      part.push_back({Item::Kind::kId, TRY(read_id(id)), type});
    if (special_) made.push_back(std::move(part));
    return {};
  }

  size_t entries_;
  bool pair_, special_;
  Parts parts_;
  size_t added_ = 0;
};

}  // namespace

PostProcessor::PostProcessor() : PostProcessor({}, {}) {}

PostProcessor::PostProcessor(const std::vector<TokenId>& prefix,
                             const std::vector<TokenId>& suffix) {
  for (const bool pair : {false, true}) {
    added_[pair] = (prefix.size() + suffix.size()) * (pair ? 2 : 1);
    for (const bool special : {false, true}) {
      Items& items = items_[pair][special];
      for (int32_t text = 0; text <= (pair ? 1 : 0); ++text) {
        if (special)
          for (const TokenId id : prefix) items.push_back({Item::Kind::kId, id, text});
        items.push_back({text == 0 ? Item::Kind::kFirst : Item::Kind::kSecond, -1, text});
        if (special)
          for (const TokenId id : suffix) items.push_back({Item::Kind::kId, id, text});
      }
    }
  }
}

Result<PostProcessor> PostProcessor::from_json(const Json& json, size_t entries) {
  PostProcessor made;
  if (json.is_null()) return made;
  for (const bool pair : {false, true}) {
    for (const bool special : {false, true}) {
      Builder builder(entries, pair, special);
      TRY(builder.add(json, 0));
      made.items_[pair][special] = TRY(builder.take());
      made.added_[pair] = builder.added();
    }
  }
  return made;
}

bool PostProcessor::affixes(std::vector<TokenId>& prefix, std::vector<TokenId>& suffix) const {
  const auto is_text = [](const Item& item) { return item.kind != Item::Kind::kId; };
  const Items& items = items_[false][true];
  if (std::count_if(items.begin(), items.end(), is_text) != 1) return false;
  // And without what is added it is the text alone.
  if (items_[false][false].size() != 1) return false;
  prefix.clear();
  suffix.clear();
  bool before = true;
  for (const Item& item : items) {
    if (is_text(item)) before = false;
    else (before ? prefix : suffix).push_back(item.id);
  }
  return true;
}

TextEncoding PostProcessor::apply(std::span<const TokenId> first,
                                  const std::vector<TokenId>* second, bool special) const {
  TextEncoding out;
  const auto append = [&out](std::span<const TokenId> ids) {
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
  };
  for (const Item& item : items(second != nullptr, special)) {
    if (item.kind == Item::Kind::kId) out.ids.push_back(item.id);
    else if (item.kind == Item::Kind::kFirst) append(first);
    else if (second) append(*second);
    out.type_ids.resize(out.ids.size(), item.type_id);
  }
  out.attention_mask.assign(out.ids.size(), 1);
  return out;
}

}  // namespace hearth
