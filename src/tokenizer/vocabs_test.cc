// The vocabularies of ../shared/data/vocabs with the ids that their own tokenizers gave.
#include <charconv>

#include "container/tensor_file.h"
#include "tokenizer/test_support.h"

namespace hearth {
namespace {

using namespace test;

std::vector<std::string> split(const std::string& text, std::string_view separator) {
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t found; (found = text.find(separator, at)) != std::string::npos;
       at = found + separator.size())
    parts.push_back(text.substr(at, found - at));
  parts.push_back(text.substr(at));
  return parts;
}

std::vector<TokenId> parse_ids(const std::string& line) {
  std::vector<TokenId> ids;
  for (const std::string& word : split(line, " ")) {
    TokenId id = 0;
    const auto end = word.data() + word.size();
    if (!word.empty() && std::from_chars(word.data(), end, id).ptr == end) ids.push_back(id);
  }
  return ids;
}

void check_vocabulary(const std::filesystem::path& path, int& cases) {
  const auto file = TensorFile::open(path.string());
  ASSERT_TRUE(file) << file.error().message;
  const auto made = Tokenizer::from_gguf(file->metadata());
  ASSERT_TRUE(made) << made.error().message;
  const auto input = read_file(path.string() + ".inp", 1 << 20);
  const auto output = read_file(path.string() + ".out", 1 << 20);
  ASSERT_TRUE(input && output);
  const auto texts = split(*input, "\n__ggml_vocab_test__\n");
  const auto lines = split(*output, "\n");
  ASSERT_GE(lines.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i, ++cases)
    EXPECT_EQ((*made)->encode(texts[i], kPlain), parse_ids(lines[i]))
        << path.filename() << " case " << i << ": " << texts[i];
}

TEST(Vocabs, IdsEqualTheReference) {
  const std::filesystem::path folder = std::string(HEARTH_SHARED_DATA) + "/vocabs";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  int cases = 0;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(item.path().string());
    if (item.path().extension() == ".gguf") check_vocabulary(item.path(), cases);
  }
  EXPECT_GE(cases, 8 * 47);
}

}  // namespace
}  // namespace hearth
