#include "registry/model_name.h"

#include <gtest/gtest.h>

#include "registry/manifest.h"

namespace hearth {
namespace {

struct Good {
  std::string_view text, full, display;
};

// The forms of Ollama's documentation, with its defaults.
TEST(ModelName, Grammar) {
  constexpr Good kGood[] = {
      {"llama3.2", "registry.ollama.ai/library/llama3.2:latest", "llama3.2:latest"},
      {"qwen2.5-coder:1.5b", "registry.ollama.ai/library/qwen2.5-coder:1.5b",
       "qwen2.5-coder:1.5b"},
      {"mike/llama:Q4_K_M", "registry.ollama.ai/mike/llama:Q4_K_M", "mike/llama:Q4_K_M"},
      {"hf.co/user/repo:Q4_K_M", "hf.co/user/repo:Q4_K_M", "hf.co/user/repo:Q4_K_M"},
      {"localhost:5000/a/b", "localhost:5000/a/b:latest", "localhost:5000/a/b:latest"},
      {"https://h/n/m:t", "h/n/m:t", "h/n/m:t"},
      {"_x", "registry.ollama.ai/library/_x:latest", "_x:latest"},
      {"a.b:c.d", "registry.ollama.ai/library/a.b:c.d", "a.b:c.d"},
  };
  for (const Good& row : kGood) {
    auto name = ModelName::parse(row.text);
    ASSERT_TRUE(name) << row.text << ": " << name.error().message;
    EXPECT_EQ(name->full(), row.full);
    EXPECT_EQ(name->display(), row.display);
    EXPECT_EQ(ModelName::parse(name->display()).value(), *name);
  }
}

TEST(ModelName, Hostile) {
  const std::string long_part(81, 'a'), long_host(351, 'h');
  const std::string kBad[] = {
      "", ":", "a:", ":b", "/", "a/", "/a", "//a", "a//b", "../a", "a/..", "..", ".", ".a", "-a",
      "a/../b", "a:..", "a:../../x", "../../../etc/passwd", "/etc/passwd", "a\\b", "a b", "a\nb",
      "a:b:c", "a/b/c/d", "h/n.s/m", "http://h/n/m", "file:///etc/passwd", "a@sha256:00", "a%2e",
      "a..b", "h..x/n/m", "\xC3\xA4", "a:\xFF", std::string("a\0b", 3), "~root", "$HOME", "a;b",
      "a*", "a?b", "<a>", "a|b", "a'b", "a\"b", long_part, "a:" + long_part, long_part + "/a",
      long_host + "/n/m", "C:\\x\\y", "COM1/..", ":/a/b"};
  for (const std::string& text : kBad) {
    auto name = ModelName::parse(text);
    ASSERT_FALSE(name) << "'" << text << "' became " << name->full();
    EXPECT_EQ(name.error().code, Code::kInvalid);
  }
}

TEST(ModelName, CasesCompareAlike) {
  EXPECT_TRUE(same_name("Llama", "lLAMA"));
  EXPECT_FALSE(same_name("llama", "llama2"));
}

TEST(Digest, OnlySixtyFourHexDigits) {
  const std::string hex(64, 'a');
  EXPECT_EQ(Digest::parse("sha256:" + hex)->file_name(), "sha256-" + hex);
  EXPECT_EQ(Digest::parse("sha256-" + std::string(64, 'A'))->hex(), hex);
  EXPECT_EQ(Digest::parse(hex)->text(), "sha256:" + hex);
  for (std::string bad : {std::string(), std::string("sha256:"), std::string(63, 'a'),
                          std::string(65, 'a'), std::string(63, 'a') + "g", "sha512:" + hex,
                          "sha256:../../" + std::string(58, 'a'), "sha256:" + std::string(63, 'a') +
                          "/", "sha256-" + hex + "-partial", " " + hex})
    EXPECT_FALSE(Digest::parse(bad)) << bad;
}

TEST(FileName, StaysInItsFolder) {
  for (std::string_view good : {"config.json", "model-00001-of-00002.safetensors",
                                "1_Pooling/config.json", "a/b/c/d"})
    EXPECT_TRUE(check_file_name(good)) << good;
  for (std::string_view bad : {"", "/", "/etc/passwd", "..", "a/..", "../a", "a//b", "a/",
                               ".hidden", "a/.b", "a\\b", "a b", "a/b/c/d/e", "a\nb"})
    EXPECT_FALSE(check_file_name(bad)) << bad;
}

}  // namespace
}  // namespace hearth
