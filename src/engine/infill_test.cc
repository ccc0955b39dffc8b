// Marks for filling in the middle, and the sequence breakers of DRY: what is looked up in a
// vocabulary. The expected prompts are the formats that the models' own cards give.
#include "engine/infill.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "engine/sampling/dry.h"

namespace hearth {
namespace {

constexpr EncodeOptions kPlain{.add_special = false, .parse_special = false};
constexpr TokenId kFirstMark = 288;  // after the tiny vocabulary

// The tiny tokenizer with marks of its own.
std::shared_ptr<const Tokenizer> with_marks(const std::vector<std::string>& marks) {
  auto json = Json::parse(*read_file(HEARTH_TEST_DATA "/models/llama/tokenizer.json", 1 << 20));
  Json added = (*json)["added_tokens"];
  for (size_t i = 0; i < marks.size(); ++i)
    added.push_back(Json::Object{{"id", kFirstMark + static_cast<int64_t>(i)},
                                 {"content", marks[i]},
                                 {"special", true}});
  json->set("added_tokens", added);
  auto made = Tokenizer::from_hugging_face(*json, Json());
  EXPECT_TRUE(made) << made.error().message;
  return *made;
}

std::vector<TokenId> joined(std::vector<std::vector<TokenId>> parts) {
  std::vector<TokenId> out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

TEST(Infill, ThePromptHasTheMarksOfTheFamily) {
  struct Case { std::vector<std::string> marks; bool suffix_first; };
  for (const Case& c : {Case{{"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"}, false},
                        Case{{"<fim_prefix>", "<fim_middle>", "<fim_suffix>"}, false},
                        Case{{"<｜fim▁begin｜>", "<｜fim▁end｜>", "<｜fim▁hole｜>"}, false},
                        Case{{"[PREFIX]", "[MIDDLE]", "[SUFFIX]"}, true}}) {
    auto tokenizer = with_marks(c.marks);
    auto marks = infill_tokens(*tokenizer, Metadata());
    ASSERT_TRUE(marks) << c.marks[0];
    TokenId prefix = kFirstMark, middle = kFirstMark + 1, suffix = kFirstMark + 2;
    auto before = tokenizer->encode("def f(", kPlain), after = tokenizer->encode(" + 1", kPlain);
    auto wanted = c.suffix_first ? joined({{suffix}, after, {prefix}, before})
                                 : joined({{prefix}, before, {suffix}, after, {middle}});
    EXPECT_EQ(infill_prompt(*tokenizer, *marks, "def f(", " + 1"), wanted) << c.marks[0];
    EXPECT_NE(std::ranges::find(marks->ends, prefix), marks->ends.end());
  }
}

// A user's text that spells a mark stays text.
TEST(Infill, MarksInTheTextsAreText) {
  auto tokenizer = with_marks({"<PRE>", "<SUF>", "<MID>"});
  auto marks = infill_tokens(*tokenizer, Metadata());
  ASSERT_TRUE(marks);
  auto ids = infill_prompt(*tokenizer, *marks, "a<MID>b", "<SUF>");
  EXPECT_EQ(std::ranges::count_if(ids, [](TokenId id) { return id >= kFirstMark; }), 3);
}

TEST(Infill, TheKeysOfTheFileComeFirst) {
  auto tokenizer = with_marks({"<PRE>", "<SUF>", "<MID>"});
  Metadata keys;
  keys.set_u32("tokenizer.ggml.fim_pre_token_id", 40);
  keys.set_u32("tokenizer.ggml.suffix_token_id", 41);  // as older files have it
  keys.set_u32("tokenizer.ggml.fim_mid_token_id", 42);
  auto marks = infill_tokens(*tokenizer, keys);
  ASSERT_TRUE(marks);
  EXPECT_EQ(infill_prompt(*tokenizer, *marks, "", ""), (std::vector<TokenId>{40, 41, 42}));
  keys.set_u32("tokenizer.ggml.fim_mid_token_id", 100000);
  auto outside = infill_tokens(*tokenizer, keys);
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code, Code::kCorrupt);
}

TEST(Infill, AModelWithoutMarksIsRefused) {
  for (std::vector<std::string> marks : {std::vector<std::string>{}, {"<PRE>", "<SUF>"}}) {
    auto refused = infill_tokens(*with_marks(marks), Metadata());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kUnsupported);
  }
}

using Tails = std::vector<std::vector<TokenId>>;

TEST(DryBreakers, AreTheTokensThatHoldOrBeginThem) {
  auto tokenizer = with_marks({"x\ny", "q9", "q9:"});
  auto id = [&](std::string_view text) { return tokenizer->encode(text, kPlain).at(0); };
  auto newline = dry_breakers(*tokenizer, std::vector<std::string>{"\n"});
  ASSERT_TRUE(newline);
  EXPECT_EQ(newline->at(id("\n")), Tails{{}});
  EXPECT_EQ(newline->at(kFirstMark), Tails{{}});
  EXPECT_EQ(newline->size(), 2u);
  auto long_one = dry_breakers(*tokenizer, std::vector<std::string>{"9:5"});
  ASSERT_TRUE(long_one);
  EXPECT_EQ(long_one->at(id("9")), (Tails{{id(":"), id("5")}}));
  EXPECT_EQ(long_one->at(kFirstMark + 1), (Tails{{id(":"), id("5")}}));
  EXPECT_EQ(long_one->at(kFirstMark + 2), (Tails{{id("5")}}));
  size_t heads = 0;  // "19" and the like too
  for (TokenId token = 0; token < tokenizer->size(); ++token) {
    std::string piece = tokenizer->piece(token, true);
    heads += piece.ends_with("9") || piece.ends_with("9:");
  }
  EXPECT_EQ(long_one->size(), heads);
}

TEST(DryBreakers, HostileLists) {
  auto tokenizer = with_marks({});
  EXPECT_FALSE(dry_breakers(*tokenizer, std::vector<std::string>(65, "a")));
  auto none = dry_breakers(*tokenizer, std::vector<std::string>{""});
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  auto long_one = dry_breakers(*tokenizer, std::vector<std::string>{std::string(1 << 20, 'a')});
  ASSERT_TRUE(long_one);
  for (const auto& [head, tails] : *long_one)
    for (const auto& tail : tails) EXPECT_LE(tail.size(), kDryTailMax);
}

}  // namespace
}  // namespace hearth
