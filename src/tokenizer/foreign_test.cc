// Text of somebody else never becomes a control token.
#include "tokenizer/special_tokens.h"
#include "tokenizer/test_support.h"
#include "tokenizer/vocabulary.h"

namespace hearth {
namespace {

using namespace test;

std::vector<TokenId> encode(const Tokenizer& tokenizer, std::string_view text,
                            std::span<const TextRange> foreign) {
  return tokenizer.encode(text, {.add_special = false, .parse_special = true, .foreign = foreign});
}

bool has_control(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  return std::any_of(ids.begin(), ids.end(), [&](TokenId id) {
    return tokenizer.token_kind(id) == TokenKind::kControl;
  });
}

TEST(Foreign, ControlTokensAreTextThere) {
  const auto made = Tokenizer::from_hugging_face(read_fixture("tiny")["tokenizer"], Json());
  ASSERT_TRUE(made);
  const Tokenizer& tokenizer = **made;
  const std::string text = "a</s>b</s>c";
  const TextRange first{1, 5};
  const auto ids = encode(tokenizer, text, {&first, 1});
  EXPECT_EQ(std::count(ids.begin(), ids.end(), tokenizer.find("</s>")), 1);
  EXPECT_EQ(tokenizer.decode(ids, true), text);
  // Any byte of it is enough: a template's "</" does not become whole by somebody's "s>".
  for (size_t at = 1; at < 5; ++at) {
    const TextRange byte{at, at + 1};
    EXPECT_EQ(encode(tokenizer, text, {&byte, 1}), ids) << at;
  }
  const TextRange between{5, 6};
  const auto both = encode(tokenizer, text, {&between, 1});
  EXPECT_EQ(std::count(both.begin(), both.end(), tokenizer.find("</s>")), 2);
}

// What is foreign is encoded as if control tokens were not asked for.
TEST(Foreign, WhollyForeignTextHasNoControlTokens) {
  std::mt19937 random(29);
  for (const char* name : {"tiny", "llama3", "qwen", "llama2", "steps", "metaspace"}) {
    const auto made = Tokenizer::from_hugging_face(read_fixture(name)["tokenizer"], Json());
    ASSERT_TRUE(made) << name;
    const Tokenizer& tokenizer = **made;
    std::vector<std::string> controls;
    for (TokenId id = 0; id < tokenizer.size(); ++id)
      if (tokenizer.token_kind(id) == TokenKind::kControl) controls.push_back(tokenizer.entry(id));
    ASSERT_FALSE(controls.empty());
    for (int i = 0; i < 300; ++i) {
      std::string text;
      for (int part = 0; part < 4; ++part)
        text += random_text(random, 3) + controls[random() % controls.size()];
      const TextRange all{0, text.size()};
      EXPECT_FALSE(has_control(tokenizer, encode(tokenizer, text, {&all, 1}))) << text;
      EXPECT_TRUE(has_control(tokenizer, encode(tokenizer, text, {}))) << text;
    }
  }
}

TEST(Foreign, TurnTokensOfOtherKindsAreGuardedToo) {
  Vocabulary vocabulary;
  vocabulary.end_ids = {7};
  vocabulary.specials = {{.text = "<start_of_turn>", .id = 1}, {.text = "<|tool|>", .id = 2},
                         {.text = "<h1>", .id = 3},            {.text = "stop", .id = 7},
                         {.text = "[X]", .id = 8, .control = true}};
  guard_turn_tokens(vocabulary);
  const std::vector<bool> wanted = {true, true, false, true, true};
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_EQ(vocabulary.specials[i].guarded, wanted[i]) << vocabulary.specials[i].text;
}

TEST(SpecialTokens, GuardedOnesEndBeforeForeignText) {
  SpecialTokens tokens;
  tokens.build({{.text = "<a>", .id = 1, .control = true, .guarded = true},
                {.text = "<a><b>", .id = 2, .control = true, .guarded = true},
                {.text = "<b>", .id = 3}});
  const TextRange tail{3, 6};
  const auto pieces = tokens.split("<a><b>", true, {&tail, 1});
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].id, 1);
  EXPECT_EQ(pieces[1].id, 3);
  EXPECT_EQ(tokens.split("<a><b>", true).front().id, 2);
}

}  // namespace
}  // namespace hearth
