// Ids and decoded text equal those that Hugging Face's tokenizers and SentencePiece gave for the
// fixtures of tests/data/tokenizer.
#include "tokenizer/tokenizer.h"

#include "base/utf8.h"
#include "tokenizer/test_support.h"

namespace hearth {
namespace {

using namespace test;

class HuggingFace : public testing::TestWithParam<const char*> {};

TEST_P(HuggingFace, EncodesAndDecodesAsTheReference) {
  const Json fixture = read_fixture(GetParam());
  const auto made = Tokenizer::from_hugging_face(fixture["tokenizer"], Json());
  ASSERT_TRUE(made) << made.error().message;
  const Tokenizer& tokenizer = **made;
  const Json::Array& cases = fixture["cases"].as_array();
  ASSERT_GT(cases.size(), 60u);
  for (const Json& row : cases) {
    const std::string& text = row["text"].as_string();
    SCOPED_TRACE(testing::PrintToString(text));
    const std::vector<TokenId> ids = ids_of(row["ids"]);
    EXPECT_EQ(tokenizer.encode(text, kPlain), ids);
    EXPECT_EQ(tokenizer.encode(text, kParsed), ids_of(row["ids_parsed"]));
    EXPECT_EQ(tokenizer.encode(text, {}), ids_of(row["ids_full"]));
    EXPECT_EQ(tokenizer.decode(ids, false), row["decoded"].as_string());
    EXPECT_EQ(stream(tokenizer, ids), row["decoded"].as_string());
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, HuggingFace,
                         testing::Values("tiny", "qwen", "llama3", "steps", "llama2", "metaspace"),
                         [](const auto& info) { return std::string(info.param); });

struct GgufCase {
  const char* fixture;
  const char* pre;
};

class ByteLevelGguf : public testing::TestWithParam<GgufCase> {};

// The same vocabularies written as GGUF, where the name of the pre-tokenizer stands for what the
// file has.
TEST_P(ByteLevelGguf, EncodesAsTheReference) {
  const Json fixture = read_fixture(GetParam().fixture);
  const auto made =
      Tokenizer::from_gguf(gguf_of_hugging_face(fixture["tokenizer"], GetParam().pre));
  ASSERT_TRUE(made) << made.error().message;
  for (const Json& row : fixture["cases"].as_array()) {
    const std::string& text = row["text"].as_string();
    EXPECT_EQ((*made)->encode(text, kPlain), ids_of(row["ids"])) << text;
    EXPECT_EQ((*made)->encode(text, kParsed), ids_of(row["ids_parsed"])) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ByteLevelGguf,
                         testing::Values(GgufCase{"tiny", "gpt-2"},
                                         GgufCase{"llama3", "llama-bpe"}),
                         [](const auto& info) { return std::string(info.param.fixture); });

// GPT-NeoX's files from before tokenizer.ggml.pre.
TEST(OldGguf, AnOldFileOfGptNeoxCutsAsGpt2) {
  const Json fixture = read_fixture("tiny");
  Metadata old, named = gguf_of_hugging_face(fixture["tokenizer"], "gpt-2");
  for (const auto& [key, value] : named.pairs())
    if (key != "tokenizer.ggml.pre") old.set(key, value);
  old.set_string("general.architecture", "gptneox");
  const auto made = Tokenizer::from_gguf(old);
  ASSERT_TRUE(made) << made.error().message;
  for (const Json& row : fixture["cases"].as_array())
    EXPECT_EQ((*made)->encode(row["text"].as_string(), kPlain), ids_of(row["ids"]));
}

class SentencePieceGguf : public testing::TestWithParam<const char*> {};

TEST_P(SentencePieceGguf, EncodesAndDecodesAsTheReference) {
  const Json fixture = read_fixture(GetParam());
  const auto made = Tokenizer::from_gguf(gguf_of_sentencepiece(fixture));
  ASSERT_TRUE(made) << made.error().message;
  const Json::Array& cases = fixture["cases"].as_array();
  ASSERT_GT(cases.size(), 60u);
  for (const Json& row : cases) {
    const std::string& text = row["text"].as_string();
    SCOPED_TRACE(testing::PrintToString(text));
    const std::vector<TokenId> ids = ids_of(row["ids"]);
    EXPECT_EQ((*made)->encode(text, kPlain), ids);
    EXPECT_EQ((*made)->decode(ids, false), row["decoded"].as_string());
    EXPECT_EQ(stream(**made, ids), row["decoded"].as_string());
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, SentencePieceGguf,
                         testing::Values("sentencepiece", "sentencepiece_user"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Tokenizer, ReadsTheFolderOfATinyModel) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("hearth_tokenizer_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const Json fixture = read_fixture("tiny");
  ASSERT_TRUE(write_file_atomic(folder / "tokenizer.json", fixture["tokenizer"].dump()));
  ASSERT_TRUE(write_file_atomic(folder / "tokenizer_config.json",
                                R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}})"));
  const auto made = Tokenizer::from_folder(folder.string());
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(made) << made.error().message;
  const Tokenizer& tokenizer = **made;
  EXPECT_EQ(tokenizer.size(), 288);
  EXPECT_EQ(tokenizer.bos(), 0);
  EXPECT_EQ(tokenizer.eos(), 1);
  EXPECT_FALSE(tokenizer.adds_bos());
  EXPECT_TRUE(tokenizer.ends_generation(1));
  EXPECT_FALSE(tokenizer.ends_generation(0));
  EXPECT_FALSE(tokenizer.ends_generation(-1));
  EXPECT_EQ(tokenizer.model_name(), "gpt2");
  EXPECT_EQ(tokenizer.pre_tokenizer_name(), "gpt-2");
  EXPECT_EQ(tokenizer.token_kind(1), TokenKind::kControl);
  EXPECT_EQ(tokenizer.find("</s>"), 1);
  EXPECT_EQ(tokenizer.piece(1, true), "</s>");
  EXPECT_EQ(tokenizer.piece(1, false), "");
  EXPECT_EQ(tokenizer.piece(288, true), "");
  EXPECT_EQ(tokenizer.piece(-1, true), "");
  const auto missing = Tokenizer::from_folder(folder.string());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

TEST(Tokenizer, ConfigOverrulesThePostProcessor) {
  const Json fixture = read_fixture("llama2");
  auto config = Json::parse(R"({"bos_token": "<s>", "eos_token": "</s>", "add_eos_token": false})");
  const auto made = Tokenizer::from_hugging_face(fixture["tokenizer"], *config);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE((*made)->adds_bos());
  EXPECT_FALSE((*made)->adds_eos());
  EXPECT_EQ((*made)->encode("", {}), std::vector<TokenId>{1});
}

TEST(Tokenizer, AnyBytesComeBack) {
  std::mt19937 random(7);
  for (const char* name : {"tiny", "llama3"}) {
    const auto made = Tokenizer::from_hugging_face(read_fixture(name)["tokenizer"], Json());
    ASSERT_TRUE(made);
    for (int i = 0; i < 500; ++i) {
      const std::string bytes = random_bytes(random, random() % 200);
      EXPECT_EQ((*made)->decode((*made)->encode(bytes, kPlain), true), bytes);
      const std::string text = random_text(random, 20) + bytes + random_text(random, 20);
      EXPECT_EQ((*made)->decode((*made)->encode(text, kPlain), true), text);
      EXPECT_EQ(stream(**made, (*made)->encode(text, kPlain)), replace_invalid_utf8(text));
    }
  }
  const auto spm = Tokenizer::from_gguf(gguf_of_sentencepiece(read_fixture("sentencepiece")));
  ASSERT_TRUE(spm);
  for (int i = 0; i < 500; ++i) {
    const std::string bytes = random_bytes(random, random() % 200);
    EXPECT_EQ((*spm)->decode((*spm)->encode(bytes, kPlain), true), bytes);
  }
}

TEST(StreamDecoder, WaitsForWholeCharacters) {
  const auto made = Tokenizer::from_hugging_face(read_fixture("tiny")["tokenizer"], Json());
  ASSERT_TRUE(made);
  const auto ids = (*made)->encode("\U0001F642", kPlain);
  ASSERT_EQ(ids.size(), 4u);
  StreamDecoder decoder(**made);
  EXPECT_EQ(decoder.push(ids[0]), "");
  EXPECT_EQ(decoder.push(ids[1]), "");
  EXPECT_EQ(decoder.push(ids[2]), "");
  EXPECT_EQ(decoder.push(ids[3]), "\U0001F642");
  EXPECT_EQ(decoder.push(ids[0]), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
}

}  // namespace
}  // namespace hearth
