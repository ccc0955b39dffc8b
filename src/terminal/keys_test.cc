// Keys from the bytes that xterm, the Linux console, tmux and VTE send for them.
#include "terminal/keys.h"

#include <gtest/gtest.h>

namespace hearth::terminal {
namespace {

std::vector<Key> keys(std::string_view bytes) {
  KeyDecoder decoder;
  std::vector<Key> out = decoder.push(bytes);
  for (Key& key : decoder.flush()) out.push_back(std::move(key));
  return out;
}

KeyKind one(std::string_view bytes) {
  const auto all = keys(bytes);
  return all.size() == 1 ? all[0].kind : KeyKind::kUnknown;
}

TEST(KeyDecoder, KnowsTheKeysOfTerminals) {
  EXPECT_EQ(one("\x1b[A"), KeyKind::kUp);
  EXPECT_EQ(one("\x1bOB"), KeyKind::kDown);
  EXPECT_EQ(one("\x1b[1;5C"), KeyKind::kWordRight);
  EXPECT_EQ(one("\x1b[1;3D"), KeyKind::kWordLeft);
  EXPECT_EQ(one("\x1b""b"), KeyKind::kWordLeft);
  EXPECT_EQ(one("\x1b[3~"), KeyKind::kDelete);
  EXPECT_EQ(one("\x1b[1~"), KeyKind::kHome);
  EXPECT_EQ(one("\x1b[Z"), KeyKind::kBackTab);
  EXPECT_EQ(one("\x1b\x7f"), KeyKind::kDeleteWordLeft);
  EXPECT_EQ(one("\x1b\r"), KeyKind::kNewline);
  EXPECT_EQ(one("\r"), KeyKind::kEnter);
  EXPECT_EQ(one("\n"), KeyKind::kEnter);
  EXPECT_EQ(one("\x7f"), KeyKind::kBackspace);
  EXPECT_EQ(one("\x1b"), KeyKind::kEscape);
  const auto control = keys("\x01");
  ASSERT_EQ(control.size(), 1u);
  EXPECT_EQ(control[0].kind, KeyKind::kControl);
  EXPECT_EQ(control[0].text, "a");
}

TEST(KeyDecoder, UnknownSequencesAreSwallowedWhole) {
  EXPECT_TRUE(keys("\x1b[?1;2c").empty());
  EXPECT_TRUE(keys("\x1b[200;1R").empty());
  const auto after = keys("\x1b[99~x");
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].text, "x");
}

TEST(KeyDecoder, BytesMayComeOneByOne) {
  const std::string bytes = "a\x1b[Aé漢\U0001F600\x1b[200~p\r\nq\x1b[201~\x1b[1;5D\x03";
  const auto whole = keys(bytes);
  KeyDecoder decoder;
  std::vector<Key> parts;
  for (const char c : bytes)
    for (Key& key : decoder.push({&c, 1})) parts.push_back(std::move(key));
  ASSERT_EQ(parts.size(), whole.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i].kind, whole[i].kind);
    EXPECT_EQ(parts[i].text, whole[i].text);
  }
  ASSERT_EQ(whole.size(), 8u);
  EXPECT_EQ(whole[2].text, "é");
  EXPECT_EQ(whole[4].text, "\U0001F600");
  EXPECT_EQ(whole[5].kind, KeyKind::kPaste);
  EXPECT_EQ(whole[5].text, "p\nq");
}

TEST(KeyDecoder, APasteIsTextWhateverIsInIt) {
  const auto paste = keys("\x1b[200~a\x1b[Ab\x03\x04\tc\xff\x1b[201~");
  ASSERT_EQ(paste.size(), 1u);
  EXPECT_EQ(paste[0].text, "a[Ab\tc\uFFFD");
}

}  // namespace
}  // namespace hearth::terminal
