// Unigram models, SentencePiece's own files and RWKV's and PLaMo's vocabularies against what their
// references gave for the fixtures spm_*.json; hostile files; long texts.
#include <chrono>
#include <limits>

#include "tokenizer/charsmap.h"
#include "tokenizer/rwkv_tokenizer.h"
#include "tokenizer/sentencepiece_file.h"
#include "tokenizer/test_support.h"
#include "tokenizer/unigram_tokenizer.h"

namespace hearth {
namespace {

using namespace test;

std::string model_bytes(const std::string& name) {
  const Json fixture = read_fixture("spm_models");
  for (const Json& model : fixture["models"].as_array())
    if (model["name"].as_string() == name) return from_base64(model["model"].as_string());
  ADD_FAILURE() << "no model " << name;
  return {};
}

// A wanted decoding only where it is no string: where the reference is not asked.
void expect_rows(const Tokenizer& tokenizer, const Json& texts, const Json& ids,
                 const Json& decoded) {
  for (size_t i = 0; i < texts.as_array().size(); ++i) {
    const std::string& text = texts.as_array()[i].as_string();
    SCOPED_TRACE(testing::PrintToString(text));
    const std::vector<TokenId> wanted = ids_of(ids.as_array()[i]);
    EXPECT_EQ(tokenizer.encode(text, kPlain), wanted);
    if (!decoded.is_array()) continue;
    EXPECT_EQ(tokenizer.decode(wanted, false), decoded.as_array()[i].as_string());
    EXPECT_EQ(stream(tokenizer, wanted), decoded.as_array()[i].as_string());
  }
}

TEST(SentencePieceFile, EncodesAndDecodesAsTheLibrary) {
  const Json fixture = read_fixture("spm_models");
  ASSERT_GE(fixture["models"].as_array().size(), 14u);
  ASSERT_GE(fixture["texts"].as_array().size(), 35u);
  for (const Json& row : fixture["models"].as_array()) {
    SCOPED_TRACE(row["name"].as_string());
    const auto made =
        make_from_sentencepiece(from_base64(row["model"].as_string()), Json(), Json());
    ASSERT_TRUE(made) << made.error().message;
    expect_rows(**made, fixture["texts"], row["ids"], row["decoded"]);
  }
}

// The same models as converters write them to GGUF.
Metadata gguf_of_model(const SentencePieceModel& model) {
  const bool unigram = model.type == SentencePieceModel::Type::kUnigram;
  std::vector<int32_t> types;
  for (const TokenKind kind : model.kinds) types.push_back(static_cast<int32_t>(kind));
  Metadata out;
  out.set_string("tokenizer.ggml.model", unigram ? "t5" : "llama");
  out.set_strings("tokenizer.ggml.tokens", model.pieces);
  out.set_floats("tokenizer.ggml.scores", model.scores);
  out.set_ints("tokenizer.ggml.token_type", types);
  out.set_u32("tokenizer.ggml.unknown_token_id", static_cast<uint32_t>(model.unknown));
  out.set_bool("tokenizer.ggml.add_space_prefix", model.spaces.add_dummy_prefix);
  out.set_bool("tokenizer.ggml.remove_extra_whitespaces", model.spaces.remove_extra_whitespaces);
  if (model.charsmap.empty()) return out;
  MetaArray bytes{.item = MetaType::kU8, .count = model.charsmap.size()};
  const auto owner = std::make_shared<const std::string>(model.charsmap);
  bytes.raw = std::as_bytes(std::span(*owner));
  out.keep_alive(owner);
  out.set("tokenizer.ggml.precompiled_charsmap", MetaValue{MetaType::kArray, bytes});
  return out;
}

TEST(SentencePieceFile, TheSameModelsInGguf) {
  const Json fixture = read_fixture("spm_models");
  int count = 0;
  for (const Json& row : fixture["models"].as_array()) {
    const std::string& name = row["name"].as_string();
    const auto model = parse_sentencepiece(from_base64(row["model"].as_string()));
    ASSERT_TRUE(model) << model.error().message;
    // What GGUF has no key for, and user-defined entries, which are split off first there.
    if (model->spaces.treat_whitespace_as_suffix || !model->spaces.escape_whitespaces ||
        name.ends_with("user") || name.starts_with("word") || name.starts_with("char"))
      continue;
    SCOPED_TRACE(name);
    const auto made = Tokenizer::from_gguf(gguf_of_model(*model));
    ASSERT_TRUE(made) << made.error().message;
    expect_rows(**made, fixture["texts"], row["ids"],
                model->byte_fallback ? row["decoded"] : Json());
    ++count;
  }
  EXPECT_EQ(count, 6);
}

class Folder : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(path_); }
  void TearDown() override { std::filesystem::remove_all(path_); }
  Result<std::shared_ptr<const Tokenizer>> read(const std::string& config,
                                                const std::string& added = "{}") {
    EXPECT_TRUE(write_file_atomic(path_ / "tokenizer.model", model_bytes("bpe_bytes")));
    EXPECT_TRUE(write_file_atomic(path_ / "tokenizer_config.json", config));
    EXPECT_TRUE(write_file_atomic(path_ / "added_tokens.json", added));
    return Tokenizer::from_folder(path_.string());
  }
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("hearth_spm_" + std::to_string(getpid()));
};

TEST_F(Folder, ConfigSaysWhatGoesAroundATextAndWhatWasAdded) {
  const auto plain = make_from_sentencepiece(model_bytes("bpe_bytes"), Json(), Json());
  ASSERT_TRUE(plain) << plain.error().message;
  const auto pieces = static_cast<TokenId>((*plain)->size());
  const auto made = read(
      R"({"tokenizer_class": "LlamaTokenizerFast", "legacy": false, "add_eos_token": true,
          "added_tokens_decoder": {")" + std::to_string(pieces) +
          R"(": {"content": "<|x|>", "special": true}}})",
      R"({"<|y|>": )" + std::to_string(pieces + 1) + "}");
  ASSERT_TRUE(made) << made.error().message;
  const Tokenizer& tokenizer = **made;
  EXPECT_EQ(tokenizer.size(), pieces + 2);
  std::vector<TokenId> wanted = (*plain)->encode("Hello", kPlain);
  wanted.insert(wanted.begin(), tokenizer.find("<s>"));
  wanted.push_back(tokenizer.find("</s>"));
  EXPECT_EQ(tokenizer.encode("Hello", {}), wanted);
  // No space in front of what follows a special token, as transformers does it by now.
  wanted = {pieces};
  for (const TokenId id : (*plain)->encode("the", kPlain)) wanted.push_back(id);
  const auto ids = tokenizer.encode("<|x|> the", kParsed);
  EXPECT_EQ(ids, wanted);
  EXPECT_EQ(tokenizer.encode("<|y|>", kPlain), std::vector<TokenId>{pieces + 1});
  EXPECT_NE(tokenizer.encode("<|x|>", kPlain), std::vector<TokenId>{pieces});
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{pieces, pieces + 1}, false), "<|y|>");
}

TEST_F(Folder, OtherClasses) {
  const auto t5 = read(R"({"tokenizer_class": "T5Tokenizer", "extra_ids": 3})", "null");
  ASSERT_TRUE(t5) << t5.error().message;
  EXPECT_EQ((*t5)->find("<extra_id_0>"), (*t5)->size() - 1);
  EXPECT_EQ((*t5)->encode("a", {}).back(), (*t5)->eos());
  const auto roberta = read(R"({"tokenizer_class": "XLMRobertaTokenizer"})");
  ASSERT_FALSE(roberta);
  EXPECT_EQ(roberta.error().code, Code::kUnsupported);
  EXPECT_NE(roberta.error().message.find("XLMRoberta"), std::string::npos);
  const auto taken = read("{}", R"({"<|x|>": 5})");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kUnsupported);
}

TEST(Charsmap, RewritesAsBothReferences) {
  const Json fixture = read_fixture("spm_charsmap");
  const auto map = Charsmap::parse(from_base64(fixture["charsmap"].as_string()));
  ASSERT_TRUE(map) << map.error().message;
  int different = 0;
  for (const Json& row : fixture["rows"].as_array()) {
    const std::string& text = row.as_array()[0].as_string();
    SCOPED_TRACE(testing::PrintToString(text));
    EXPECT_EQ(map->normalize(text), row.as_array()[1].as_string());
    EXPECT_EQ(map->normalize_graphemes(text), row.as_array()[2].as_string());
    different += row.as_array()[1].as_string() != row.as_array()[2].as_string() ? 1 : 0;
  }
  EXPECT_GE(different, 3);
  EXPECT_EQ(map->normalize("a\xFF\xE2\x96" "b"), "a\uFFFD\uFFFD\uFFFDb");
  EXPECT_EQ(map->normalize_graphemes("a\xFF\u2122"), "a\xFFTM");
}

TEST(Charsmap, HostileTablesMatchNothing) {
  const std::string good = from_base64(read_fixture("spm_charsmap")["charsmap"].as_string());
  std::mt19937 random(5);
  for (size_t bytes = 1; bytes < 4; ++bytes) EXPECT_FALSE(Charsmap::parse(good.substr(0, bytes)));
  EXPECT_FALSE(Charsmap::parse("\xFF\xFF\xFF\xFF" "abcd"));
  EXPECT_TRUE(Charsmap::parse(""));
  EXPECT_EQ(Charsmap::parse(std::string(8, '\0') + std::string(200, 'a')).error().code,
            Code::kUnsupported);
  for (int round = 0; round < 300; ++round) {
    std::string bad = good;
    for (int i = 0; i < 200; ++i)
      bad[4 + random() % (bad.size() - 4)] = static_cast<char>(random());
    const auto map = Charsmap::parse(bad);
    if (!map) continue;
    const std::string text = random_text(random, 50) + random_bytes(random, 50);
    map->normalize(text);
    map->normalize_graphemes(text);
  }
}

TEST(Unigram, HuggingFacesRules) {
  const Json fixture = read_fixture("spm_unigram");
  const auto made = Tokenizer::from_hugging_face(fixture["tokenizer"], Json());
  ASSERT_TRUE(made) << made.error().message;
  for (const Json& row : fixture["rows"].as_array())
    EXPECT_EQ((*made)->encode(row.as_array()[0].as_string(), kPlain),
              ids_of(row.as_array()[1])) << row.as_array()[0].as_string();
}

Metadata gguf_of_fixture(const Json& fixture, const char* model) {
  std::vector<float> scores;
  Metadata out;
  out.set_string("tokenizer.ggml.model", model);
  out.set_strings("tokenizer.ggml.tokens", strings_of(fixture["tokens"]));
  out.set_ints("tokenizer.ggml.token_type", ids_of(fixture["types"]));
  if (!fixture["scores"].is_array()) return out;
  for (const Json& score : fixture["scores"].as_array())
    scores.push_back(static_cast<float>(score.as_double()));
  out.set_floats("tokenizer.ggml.scores", scores);
  return out;
}

void expect_fixture(const char* name, const char* model) {
  const Json fixture = read_fixture(name);
  const auto made = Tokenizer::from_gguf(gguf_of_fixture(fixture, model));
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_GT(fixture["rows"].as_array().size(), 30u);
  for (const Json& row : fixture["rows"].as_array()) {
    const std::string& text = row.as_array()[0].as_string();
    SCOPED_TRACE(testing::PrintToString(text));
    const std::vector<TokenId> ids = ids_of(row.as_array()[1]);
    EXPECT_EQ((*made)->encode(text, kPlain), ids);
    EXPECT_EQ((*made)->decode(ids, false), text);
    EXPECT_EQ(stream(**made, ids), text);
  }
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i) {
    const std::string text = random_text(random, 10) + random_bytes(random, random() % 50);
    EXPECT_EQ((*made)->decode((*made)->encode(text, kPlain), false), text);
  }
}

TEST(Rwkv, EncodesAndDecodesAsTheReference) { expect_fixture("spm_rwkv", "rwkv"); }
TEST(Plamo, EncodesAndDecodesAsTheReference) { expect_fixture("spm_plamo", "plamo2"); }

TEST(Rwkv, UnescapesEntries) {
  EXPECT_EQ(unescape_rwkv(R"(a\n\t\r\\\'\xe7\x8b)"), "a\n\t\r\\'\xE7\x8B");
  EXPECT_EQ(unescape_rwkv(R"(\xg1\x4\)"), R"(xg1x4\)");
}

TEST(Gguf, FilesWithoutAVocabularySaySo) {
  for (const char* model : {"no_vocab", "none"}) {
    Metadata metadata;
    metadata.set_string("tokenizer.ggml.model", model);
    const auto made = Tokenizer::from_gguf(metadata);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::kUnsupported);
    EXPECT_NE(made.error().message.find("no vocabulary"), std::string::npos);
  }
}

TEST(Gguf, RefusesVocabulariesThatLackSomething) {
  Metadata plamo = gguf_of_fixture(read_fixture("spm_plamo"), "plamo2");
  std::vector<int32_t> types = ids_of(read_fixture("spm_plamo")["types"]);
  types[100] = 1;
  plamo.set_ints("tokenizer.ggml.token_type", types);
  EXPECT_EQ(Tokenizer::from_gguf(plamo).error().code, Code::kCorrupt);
  Metadata unigram = gguf_of_model(*parse_sentencepiece(model_bytes("unigram")));
  unigram.set_string("tokenizer.ggml.precompiled_charsmap", "x");
  EXPECT_EQ(Tokenizer::from_gguf(unigram).error().code, Code::kCorrupt);
  for (const char* model : {"t5", "plamo2"}) {
    Metadata metadata = gguf_of_fixture(read_fixture("spm_rwkv"), model);
    EXPECT_EQ(Tokenizer::from_gguf(metadata).error().code, Code::kCorrupt);
  }
}

TEST(SentencePieceFile, SurvivesBrokenFiles) {
  std::mt19937 random(9);
  for (const char* name : {"bpe_user", "unigram_user", "unigram_bytes", "char_bytes"}) {
    const std::string good = model_bytes(name);
    for (int round = 0; round < 400; ++round) {
      std::string bad = good;
      if (round % 2 == 0) bad.resize(random() % bad.size());
      for (int i = 0; i < 3 && !bad.empty(); ++i)
        bad[random() % bad.size()] = static_cast<char>(random());
      const auto made = make_from_sentencepiece(bad, Json(), Json());
      if (!made) continue;
      const std::string text = random_text(random, 20) + random_bytes(random, 20);
      (*made)->decode((*made)->encode(text, {}), true);
    }
  }
}

TEST(SentencePieceFile, RefusesWhatTheLibraryRefuses) {
  const std::string a = std::string("\x0A\x03\x0A\x01") + "a";
  const std::string unknown = std::string("\x0A\x05\x0A\x01") + "u\x18\x02";
  EXPECT_TRUE(parse_sentencepiece(a + unknown));
  EXPECT_FALSE(parse_sentencepiece(a));                        // no unknown piece
  EXPECT_FALSE(parse_sentencepiece(a + a + unknown));          // one piece twice
  EXPECT_FALSE(parse_sentencepiece(a + unknown + "\x0A\x02\x0A"));
  EXPECT_FALSE(parse_sentencepiece(a + unknown + std::string("\x0A\x02\x0A\x00", 4)));
  EXPECT_FALSE(parse_sentencepiece(a + unknown + "\x0B"));     // a group
  EXPECT_FALSE(parse_sentencepiece(a + unknown + "\x12\x03\x98\x02\x01"));  // byte_fallback alone
  EXPECT_FALSE(parse_sentencepiece(""));
}

// Far above what is needed: tells linear from quadratic.
TEST(SentencePieceFile, LongTextsTakeLinearTime) {
  std::vector<std::pair<std::string, std::shared_ptr<const Tokenizer>>> all;
  for (const char* name : {"bpe_bytes", "bpe_user", "bpe_unused", "unigram_user", "unigram_spaces",
                           "word", "char_bytes"}) {
    auto made = make_from_sentencepiece(model_bytes(name), Json(), Json());
    ASSERT_TRUE(made) << made.error().message;
    all.emplace_back(name, std::move(*made));
  }
  for (const char* name : {"rwkv", "plamo"}) {
    const Json fixture = read_fixture(std::string("spm_") + name);
    auto made = Tokenizer::from_gguf(
        gguf_of_fixture(fixture, std::string_view(name) == "rwkv" ? "rwkv" : "plamo2"));
    ASSERT_TRUE(made) << made.error().message;
    all.emplace_back(name, std::move(*made));
  }
  for (const std::string piece : {"a", " ", "\u2581", "\U0001F642", "\xFF", "thequickbrownfox"}) {
    std::string text;
    while (text.size() < 1000000) text += piece;
    for (const auto& [name, tokenizer] : all) {
      const auto start = std::chrono::steady_clock::now();
      const auto ids = tokenizer->encode(text, kParsed);
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      EXPECT_LT(seconds, 20.0) << name << " on " << piece;
      tokenizer->decode(ids, false);
    }
  }
}

}  // namespace
}  // namespace hearth
