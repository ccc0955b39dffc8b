#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace hearth {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Code::kInvalid, "{} is odd", value);
  return value / 2;
}

Result<int> quarter(int value) { return TRY(half(TRY(half(value)))); }

Result<void> check(int value) {
  TRY(quarter(value));
  return {};
}

TEST(Result, TryPassesErrorsOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_TRUE(check(8).has_value());
  EXPECT_EQ(check(7).error().code, Code::kInvalid);
}

Result<std::unique_ptr<int>> boxed(int value) {
  return std::make_unique<int>(TRY(half(value)));
}

TEST(Result, TryMovesOnlyValues) {
  auto user = []() -> Result<int> {
    std::unique_ptr<int> box = TRY(boxed(10));
    return *box;
  };
  EXPECT_EQ(user().value(), 5);
}

TEST(Result, ContextComesFirst) {
  EXPECT_EQ(with_context(Error{Code::kIo, "broken"}, "a.gguf").message, "a.gguf: broken");
}

// Names out of hostile files come as arguments.
TEST(Result, MessagesAreOneLineOfText) {
  std::string_view name = "a\nb\x1B[31m\xE2\x96\x7F\xC2\x9B\xC3\xA4";
  EXPECT_EQ(fail(Code::kCorrupt, "'{}' is bad", name).error().message,
            "'a b [31m\uFFFD  \u00E4' is bad");
  std::string message = fail(Code::kCorrupt, "{}", std::string(5000, 'x')).error().message;
  EXPECT_LT(message.size(), 1000u);
  EXPECT_TRUE(message.ends_with("x..."));
}

TEST(Result, CodesHaveDistinctNames) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
    const CodeInfo& row = info(static_cast<Code>(i));
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_GE(row.http_status, 400);
    EXPECT_EQ(row.exit_code, row.code == Code::kUsage ? 2 : 1);
  }
}

}  // namespace
}  // namespace hearth
