// tokenizer.json in full: each component alone and the combinations that models use, and folders
// without one, against what Hugging Face's libraries gave for tests/data/tokenizer/json_*.json.
#include <chrono>

#include "tokenizer/test_support.h"

namespace hearth {
namespace {

using namespace test;

// Pairs, and that a batch without limits is the same.
void check_pairs(const Tokenizer& tokenizer, const Json& texts, const Json& pairs) {
  ASSERT_EQ(texts.as_array().size(), pairs.as_array().size());
  for (size_t i = 0; i < pairs.as_array().size(); ++i) {
    const Json::Array& text = texts.as_array()[i].as_array();
    const Json& pair = pairs.as_array()[i];
    const std::string &first = text[0].as_string(), &second = text[1].as_string();
    SCOPED_TRACE(first + " | " + second);
    const TextEncoding encoding = tokenizer.encode_pair(first, second, {});
    EXPECT_EQ(encoding.ids, ids_of(pair["ids"]));
    EXPECT_EQ(encoding.type_ids, ids_of(pair["types"]));
    if (tokenizer.truncation() || tokenizer.padding()) continue;
    const TextPair whole{first, second};
    const auto batch = tokenizer.encode_batch({&whole, 1}, {});
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(batch->front().ids, encoding.ids);
    EXPECT_EQ(batch->front().type_ids, encoding.type_ids);
  }
}

// What truncation and padding make of the pairs, and of their first texts alone.
void check_batches(const Tokenizer& tokenizer, const Json& texts, const Json& batches) {
  if (!batches.is_array()) return;
  ASSERT_EQ(batches.as_array().size(), 2 * texts.as_array().size());
  for (size_t i = 0; i < batches.as_array().size(); ++i) {
    const Json::Array& text = texts.as_array()[i / 2].as_array();
    const Json& wanted = batches.as_array()[i];
    TextPair pair{.first = text[0].as_string()};
    if (i % 2 == 0) pair.second = text[1].as_string();
    const auto batch = tokenizer.encode_batch({&pair, 1}, {});
    ASSERT_EQ(batch.has_value(), wanted.is_object()) << i;
    if (!batch) continue;
    EXPECT_EQ(batch->front().ids, ids_of(wanted["ids"])) << i;
    EXPECT_EQ(batch->front().type_ids, ids_of(wanted["types"])) << i;
    const std::vector<uint8_t>& mask = batch->front().attention_mask;
    EXPECT_EQ(std::vector<TokenId>(mask.begin(), mask.end()), ids_of(wanted["mask"])) << i;
  }
}

std::string stream_of(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool special) {
  StreamDecoder decoder(tokenizer, special);
  std::string out;
  for (const TokenId id : ids) {
    const std::string piece = decoder.push(id);
    EXPECT_TRUE(is_valid_utf8(piece));
    out += piece;
  }
  return out + decoder.finish();
}

void check_decoded(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool special,
                   const std::string& wanted) {
  EXPECT_EQ(replace_invalid_utf8(tokenizer.decode(ids, special)), wanted);
  EXPECT_EQ(stream_of(tokenizer, ids, special), wanted);
}

// Returns how many texts were compared.
int check(const Tokenizer& tokenizer, const Json& fixture, const Json& entry) {
  const Json::Array& texts = fixture["texts"].as_array();
  const Json::Array& rows = entry["rows"].as_array();
  EXPECT_EQ(texts.size(), rows.size());
  for (size_t i = 0; i < std::min(texts.size(), rows.size()); ++i) {
    const std::string& text = texts[i].as_string();
    const Json& row = rows[i];
    SCOPED_TRACE(testing::PrintToString(text));
    EXPECT_EQ(tokenizer.encode(text, kParsed), ids_of(row["ids"]));
    const std::vector<TokenId> full = ids_of(row.find("full") ? row["full"] : row["ids"]);
    EXPECT_EQ(tokenizer.encode(text, {}), full);
    if (!row.find("decoded")) continue;
    const Json& special = row.find("special") ? row["special"] : row["decoded"];
    check_decoded(tokenizer, full, false, row["decoded"].as_string());
    check_decoded(tokenizer, full, true, special.as_string());
  }
  check_pairs(tokenizer, fixture["pairs"], entry["pairs"]);
  check_batches(tokenizer, fixture["pairs"], entry["batches"]);
  for (const Json& row : entry["odd"].as_array())
    check_decoded(tokenizer, ids_of(row["ids"]), false, row["decoded"].as_string());
  return static_cast<int>(rows.size());
}

TEST(HuggingFaceJson, EachComponentAlone) {
  const Json fixture = read_fixture("json_parts");
  int texts = 0;
  for (const Json& entry : fixture["tokenizers"].as_array()) {
    SCOPED_TRACE(entry["name"].as_string());
    Json tokenizer = entry["tokenizer"];
    if (tokenizer["model"].is_null()) tokenizer.set("model", fixture["model"]);
    const auto made = Tokenizer::from_hugging_face(tokenizer, entry["config"]);
    ASSERT_TRUE(made) << made.error().message;
    texts += check(**made, fixture, entry);
  }
  EXPECT_GT(texts, 2500);
}

std::filesystem::path write_folder(const Json& files) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("hearth_vocab_files_" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const auto& [name, text] : files.as_object())
    EXPECT_TRUE(write_file_atomic(folder / name, text.as_string()));
  return folder;
}

TEST(HuggingFaceJson, WholeModelsAndFolders) {
  const Json fixture = read_fixture("json_models");
  int texts = 0, folders = 0;
  for (const Json& entry : fixture["tokenizers"].as_array()) {
    SCOPED_TRACE(entry["name"].as_string());
    auto made = Tokenizer::from_hugging_face(entry["tokenizer"], entry["config"]);
    if (entry["files"].is_object()) {
      const std::filesystem::path folder = write_folder(entry["files"]);
      made = Tokenizer::from_folder(folder.string());
      std::filesystem::remove_all(folder);
      ++folders;
    }
    ASSERT_TRUE(made) << made.error().message;
    texts += check(**made, fixture, entry);
  }
  EXPECT_GT(texts, 450);
  EXPECT_EQ(folders, 5);
}

Json bert() {
  const Json fixture = read_fixture("json_models");
  for (const Json& entry : fixture["tokenizers"].as_array())
    if (entry["name"].as_string() == "bert") return entry["tokenizer"];
  return {};
}

TEST(HuggingFaceJson, TruncationAndPaddingAreReadAndAppliedToBatches) {
  Json json = bert();
  json.set("truncation", *Json::parse(R"({"max_length": 8, "stride": 2, "direction": "Left",
                                          "strategy": "OnlyFirst"})"));
  json.set("padding", *Json::parse(R"({"strategy": "BatchLongest", "direction": "Left",
      "pad_to_multiple_of": 4, "pad_id": 0, "pad_type_id": 1, "pad_token": "[PAD]"})"));
  const auto made = Tokenizer::from_hugging_face(json, Json());
  ASSERT_TRUE(made) << made.error().message;
  const Tokenizer& tokenizer = **made;
  ASSERT_TRUE(tokenizer.truncation() && tokenizer.padding());
  EXPECT_EQ(tokenizer.truncation()->stride, 2u);
  EXPECT_EQ(tokenizer.padding()->token, "[PAD]");
  const std::vector<TextPair> texts = {{"low lower lowest new newer newest", std::nullopt},
                                       {"low", std::nullopt}};
  const auto batch = tokenizer.encode_batch(texts, {});
  ASSERT_TRUE(batch) << batch.error().message;
  for (const TextEncoding& encoding : *batch) EXPECT_EQ(encoding.ids.size(), 8u);
  const auto whole = tokenizer.encode(texts[0].first, kPlain);
  ASSERT_GT(whole.size(), 6u);
  EXPECT_EQ(std::vector<TokenId>((*batch)[0].ids.begin() + 1, (*batch)[0].ids.end() - 1),
            std::vector<TokenId>(whole.end() - 6, whole.end()));
  const size_t padded = 8 - tokenizer.encode("low", {}).size();
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ((*batch)[1].attention_mask[i], i < padded ? 0 : 1);
    EXPECT_EQ((*batch)[1].type_ids[i], i < padded ? 1 : 0);
  }
  const std::string_view many = "low low low low low low low low";
  const TextPair pair{"low", many};
  EXPECT_FALSE(tokenizer.encode_batch({&pair, 1}, {}));  // nothing would be left of "low"
}

TEST(HuggingFaceJson, PiecesStandInTheMiddleOfAText) {
  const auto made = Tokenizer::from_hugging_face(bert(), Json());
  ASSERT_TRUE(made) << made.error().message;
  const auto ids = (*made)->encode("lower lowest", kPlain);
  std::string text;
  for (const TokenId id : ids) text += (*made)->piece(id, false);
  EXPECT_EQ(text, " lower lowest");
}

TEST(HuggingFaceJson, LongAddedTokensAreFound) {
  Json json = bert();
  std::string text(700, '=');
  json.set("added_tokens", Json::Array{*Json::parse(
      R"({"id": 170, "content": ")" + text + R"(", "single_word": false, "lstrip": false,
          "rstrip": false, "normalized": false, "special": true})")});
  const auto made = Tokenizer::from_hugging_face(json, Json());
  ASSERT_TRUE(made) << made.error().message;
  const TokenId id = (*made)->find(text);
  ASSERT_GE(id, 0);
  const std::vector<TokenId> low = (*made)->encode("low", kParsed);
  std::vector<TokenId> wanted = low;
  wanted.insert(wanted.end(), {id, id});
  wanted.insert(wanted.end(), low.begin(), low.end());
  EXPECT_EQ((*made)->encode("low" + text + text + "low", kParsed), wanted);
}

// Steps that multiply what they are given, and texts without an end, stay within bounds.
TEST(HuggingFaceJson, StepsThatMultiplyAreHeldBack) {
  Json json = bert();
  std::string normalizers, decoders;
  for (int i = 0; i < 12; ++i) {
    normalizers += R"({"type":"Replace","pattern":{"String":"l"},"content":"llll"},)";
    decoders += R"({"type":"Replace","pattern":{"String":"l"},"content":"lll"},)";
    decoders += R"({"type":"BPEDecoder","suffix":""},)";
  }
  normalizers.pop_back();
  decoders.pop_back();
  json.set("normalizer",
           *Json::parse(R"({"type":"Sequence","normalizers":[)" + normalizers + "]}"));
  json.set("decoder", *Json::parse(R"({"type":"Sequence","decoders":[)" + decoders + "]}"));
  const auto made = Tokenizer::from_hugging_face(json, Json());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_FALSE((*made)->encode("l", kPlain).empty());
  const auto low = (*made)->find("low");
  ASSERT_GE(low, 0);
  EXPECT_LT((*made)->decode(std::vector<TokenId>(10, low), false).size(), size_t{1} << 26);
  std::string levels;
  for (int i = 0; i < 20; ++i) levels += R"({"type":"ByteLevel"},)";
  levels.pop_back();
  json.set("pre_tokenizer",
           *Json::parse(R"({"type":"Sequence","pretokenizers":[)" + levels + "]}"));
  EXPECT_FALSE(Tokenizer::from_hugging_face(json, Json()));
}

TEST(HuggingFaceJson, LongTextsTakeLinearTime) {
  const Json fixture = read_fixture("json_models");
  for (const Json& entry : fixture["tokenizers"].as_array()) {
    if (!entry["tokenizer"].is_object()) continue;
    const auto made = Tokenizer::from_hugging_face(entry["tokenizer"], entry["config"]);
    ASSERT_TRUE(made) << made.error().message;
    for (const char* piece : {"a", " ", "low ", "\u4F60", "\u0301", "!", "<x>", "'", "\xFF"}) {
      std::string text;
      while (text.size() < 200000) text += piece;
      const auto start = std::chrono::steady_clock::now();
      const auto ids = (*made)->encode(text, {});
      stream_of(**made, ids, true);
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      EXPECT_LT(seconds, 20.0) << entry["name"].as_string() << " on " << piece;
    }
  }
}

}  // namespace
}  // namespace hearth
