// Files and texts that mean harm: refused or survived, in bounded time.
#include <chrono>
#include <limits>

#include "tokenizer/test_support.h"

namespace hearth {
namespace {

using namespace test;

Metadata tiny() { return gguf_of_hugging_face(read_fixture("tiny")["tokenizer"], "gpt-2"); }

TEST(HostileGguf, RefusesWhatItCannotUse) {
  struct Case {
    const char* what;
    void (*bend)(Metadata&);
    Code code;
  };
  const Case cases[] = {
      {"model", [](Metadata& m) { m.set_string("tokenizer.ggml.model", "elvish"); },
       Code::kUnsupported},
      {"model type", [](Metadata& m) { m.set_u32("tokenizer.ggml.model", 7); }, Code::kCorrupt},
      {"pre", [](Metadata& m) { m.set_string("tokenizer.ggml.pre", "elvish"); },
       Code::kUnsupported},
      {"two names", [](Metadata& m) { m.set_string("tokenizer.ggml.pre", "mpt olmo"); },
       Code::kUnsupported},
      {"no tokens", [](Metadata& m) { m.set_strings("tokenizer.ggml.tokens", {}); },
       Code::kCorrupt},
      {"tokens type", [](Metadata& m) { m.set_floats("tokenizer.ggml.tokens", {}); },
       Code::kCorrupt},
      {"short kinds",
       [](Metadata& m) { m.set_ints("tokenizer.ggml.token_type", std::vector<int32_t>(287, 1)); },
       Code::kCorrupt},
      {"long kinds",
       [](Metadata& m) { m.set_ints("tokenizer.ggml.token_type", std::vector<int32_t>(289, 1)); },
       Code::kCorrupt},
      {"kinds type", [](Metadata& m) { m.set_strings("tokenizer.ggml.token_type", {"x"}); },
       Code::kCorrupt},
      {"scores", [](Metadata& m) { m.set_floats("tokenizer.ggml.scores", std::vector<float>(3)); },
       Code::kCorrupt},
      {"merges type", [](Metadata& m) { m.set_u32("tokenizer.ggml.merges", 1); }, Code::kCorrupt},
      {"no scores", [](Metadata& m) { m.set_string("tokenizer.ggml.model", "llama"); },
       Code::kCorrupt},
  };
  for (const Case& c : cases) {
    Metadata metadata = tiny();
    c.bend(metadata);
    const auto made = Tokenizer::from_gguf(metadata);
    ASSERT_FALSE(made) << c.what;
    EXPECT_EQ(made.error().code, c.code) << c.what << ": " << made.error().message;
  }
  const auto none = Tokenizer::from_gguf(Metadata());
  ASSERT_FALSE(none);
}

TEST(HostileGguf, NamesTheUnknownValue) {
  Metadata metadata = tiny();
  metadata.set_string("tokenizer.ggml.pre", "elvish");
  EXPECT_NE(Tokenizer::from_gguf(metadata).error().message.find("elvish"), std::string::npos);
  metadata.set_string("tokenizer.ggml.model", "dwarvish");
  EXPECT_NE(Tokenizer::from_gguf(metadata).error().message.find("dwarvish"), std::string::npos);
}

TEST(HostileGguf, IdsOutOfRangeCountAsAbsent) {
  Metadata metadata = tiny();
  metadata.set_u32("tokenizer.ggml.bos_token_id", uint32_t{1} << 31);
  metadata.set_u32("tokenizer.ggml.eos_token_id", 288);
  metadata.set_u32("tokenizer.ggml.eot_token_id", std::numeric_limits<uint32_t>::max());
  metadata.set_bool("tokenizer.ggml.add_bos_token", true);
  const auto made = Tokenizer::from_gguf(metadata);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ((*made)->bos(), -1);
  EXPECT_EQ((*made)->eos(), -1);
  EXPECT_FALSE((*made)->adds_bos());
  EXPECT_TRUE((*made)->encode("", {}).empty());
}

TEST(HostileGguf, SurvivesOddEntries) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    const bool llama = round % 2 == 1;
    std::vector<std::string> tokens, merges;
    std::vector<int32_t> types;
    std::vector<float> scores;
    for (int i = 0; i < 300; ++i) {
      tokens.push_back(random_bytes(random, random() % 4));  // duplicates, empty, no UTF-8
      types.push_back(static_cast<int32_t>(random() % 9) - 1);
      scores.push_back(i % 50 == 0 ? std::numeric_limits<float>::quiet_NaN()
                                   : static_cast<float>(random() % 7));
    }
    for (int i = 0; i < 300; ++i) {
      const auto pick = [&] { return random() % 8 ? tokens[random() % 300] : std::string("zzz"); };
      merges.push_back(random() % 9 ? pick() + " " + pick() : random_bytes(random, random() % 5));
    }
    Metadata metadata;
    metadata.set_string("tokenizer.ggml.model", llama ? "llama" : "gpt2");
    metadata.set_strings("tokenizer.ggml.tokens", tokens);
    metadata.set_strings("tokenizer.ggml.merges", merges);
    metadata.set_ints("tokenizer.ggml.token_type", types);
    metadata.set_floats("tokenizer.ggml.scores", scores);
    const auto made = Tokenizer::from_gguf(metadata);
    ASSERT_TRUE(made) << made.error().message;
    for (int i = 0; i < 50; ++i) {
      const std::string text = random_text(random, 10) + random_bytes(random, 20);
      for (const TokenId id : (*made)->encode(text, {})) {
        ASSERT_GE(id, 0);
        ASSERT_LT(id, (*made)->size());
        (*made)->piece(id, true);
      }
    }
  }
}

TEST(HostileJson, RefusesWhatItCannotUse) {
  struct Case {
    const char* what;
    void (*bend)(Json&);
    Code code;
  };
  const auto set = [](Json& json, const char* member, const char* name, const char* text) {
    Json part = json[member];
    part.set(name, *Json::parse(text));
    json.set(member, std::move(part));
  };
  static constexpr auto kSet = set;
  const Case cases[] = {
      {"model type", [](Json& j) { kSet(j, "model", "type", "\"Elvish\""); }, Code::kUnsupported},
      {"vocab", [](Json& j) { kSet(j, "model", "vocab", "[]"); }, Code::kCorrupt},
      {"empty vocab", [](Json& j) { kSet(j, "model", "vocab", "{}"); }, Code::kCorrupt},
      {"wild id", [](Json& j) { kSet(j, "model", "vocab", R"({"a": 2147483648})"); },
       Code::kCorrupt},
      {"id below 0", [](Json& j) { kSet(j, "model", "vocab", R"({"a": -1})"); }, Code::kCorrupt},
      {"id no number", [](Json& j) { kSet(j, "model", "vocab", R"({"a": "b"})"); },
       Code::kCorrupt},
      {"merges", [](Json& j) { kSet(j, "model", "merges", "{}"); }, Code::kCorrupt},
      {"no pair", [](Json& j) { kSet(j, "model", "merges", R"([["a"]])"); }, Code::kCorrupt},
      {"absent merge", [](Json& j) { kSet(j, "model", "merges", R"([["q", "zz"]])"); },
       Code::kCorrupt},
      {"normalizer", [](Json& j) { j.set("normalizer", *Json::parse(R"({"type": "Elvish"})")); },
       Code::kUnsupported},
      {"pre", [](Json& j) { j.set("pre_tokenizer", *Json::parse(R"({"type": "Elvish"})")); },
       Code::kUnsupported},
      {"pattern",
       [](Json& j) {
         j.set("pre_tokenizer",
               *Json::parse(R"({"type": "Split", "pattern": {"Regex": "(a"}})"));
       },
       Code::kCorrupt},
      {"decoder", [](Json& j) { j.set("decoder", *Json::parse(R"({"type": "Elvish"})")); },
       Code::kUnsupported},
      {"processor",
       [](Json& j) { j.set("post_processor", *Json::parse(R"({"type": "Elvish"})")); },
       Code::kUnsupported},
      {"processor id",
       [](Json& j) {
         j.set("post_processor", *Json::parse(R"({"type": "BertProcessing",
               "cls": ["a", 900], "sep": ["b", 1]})"));
       },
       Code::kCorrupt},
      {"added", [](Json& j) { j.set("added_tokens", *Json::parse(R"([{"id": 99999999}])")); },
       Code::kCorrupt},
  };
  const Json fixture = read_fixture("tiny");
  for (const Case& c : cases) {
    Json json = fixture["tokenizer"];
    c.bend(json);
    const auto made = Tokenizer::from_hugging_face(json, Json());
    ASSERT_FALSE(made) << c.what;
    EXPECT_EQ(made.error().code, c.code) << c.what << ": " << made.error().message;
  }
  EXPECT_FALSE(Tokenizer::from_hugging_face(Json(), Json()));
}

TEST(HostileJson, DeepSequencesAreRefused) {
  Json json = read_fixture("tiny")["tokenizer"];
  std::string open, close;
  for (int i = 0; i < 100; ++i) open += R"({"type":"Sequence","pretokenizers":[)", close += "]}";
  json.set("pre_tokenizer", *Json::parse(open + close));
  EXPECT_FALSE(Tokenizer::from_hugging_face(json, Json()));
}

class HostileText : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"tiny", "qwen", "llama3", "steps", "llama2", "metaspace"}) {
      auto made = Tokenizer::from_hugging_face(read_fixture(name)["tokenizer"], Json());
      ASSERT_TRUE(made) << made.error().message;
      all_.emplace_back(name, std::move(*made));
    }
    for (const char* name : {"sentencepiece", "sentencepiece_user"}) {
      auto made = Tokenizer::from_gguf(gguf_of_sentencepiece(read_fixture(name)));
      ASSERT_TRUE(made) << made.error().message;
      all_.emplace_back(name, std::move(*made));
    }
    for (const char* pre : {"deepseek-llm", "deepseek-coder", "deepseek-v3", "tekken", "gpt-4o",
                            "falcon", "default", "bloom"}) {
      auto made =
          Tokenizer::from_gguf(gguf_of_hugging_face(read_fixture("tiny")["tokenizer"], pre));
      ASSERT_TRUE(made) << made.error().message;
      all_.emplace_back(pre, std::move(*made));
    }
  }

  // The bound is far above what is needed (well below a second each): it tells linear from
  // quadratic, not fast from slow.
  void run(const std::string& text) {
    for (const auto& [name, tokenizer] : all_) {
      const auto start = std::chrono::steady_clock::now();
      const auto ids = tokenizer->encode(text, kParsed);
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      EXPECT_LT(seconds, 20.0) << name << " on " << text.substr(0, 20);
      EXPECT_FALSE(ids.empty()) << name;
      if (name == "tiny") {
        EXPECT_EQ(tokenizer->decode(ids, true), text);
      }
    }
  }

  static std::string repeat(std::string_view piece, size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += piece;
    return out;
  }

  std::vector<std::pair<std::string, std::shared_ptr<const Tokenizer>>> all_;
  // So many bytes take minutes, were anything quadratic.
  static constexpr size_t kMillion = 1000000, kSome = 200000;
};

TEST_F(HostileText, EqualCharacters) {
  for (const char* piece : {"a", " "}) run(repeat(piece, kMillion));
  for (const char* piece : {"\n", "1", "<", "'", "A", "!", "\u4E2D"}) run(repeat(piece, kSome));
}

TEST_F(HostileText, RunsThatDoNotEnd) {
  run(repeat(" ", kMillion) + "\x01");
  run(repeat("\t", kSome) + "x");
  run(repeat(" \n", kSome));
  run(repeat("<|x|", kSome));
  run(repeat("Aa", kSome));
  run(repeat("\u0301", kSome));
  run(repeat("\u0301\u0323", kSome));  // marks that a normal form reorders
}

TEST_F(HostileText, InvalidUtf8) {
  run(repeat("\xFF", kSome));
  run(repeat("\xE2\x96", kSome));
  run(repeat("a\x80", kSome));
}

}  // namespace
}  // namespace hearth
