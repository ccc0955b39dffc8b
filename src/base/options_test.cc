#include "base/options.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace hearth {
namespace {

constexpr OptionRow kRows[] = {
    {.name = "count", .type = OptionType::kInt, .fallback = "5", .min = 1, .max = 10,
     .env = "TEST_COUNT", .ollama_env = "TEST_NUMBER"},
    {.name = "heat", .type = OptionType::kFloat, .min = 0},
    {.name = "seed", .type = OptionType::kInt},
    {.name = "loud", .type = OptionType::kFlag},
    {.name = "mode", .type = OptionType::kChoice, .fallback = "slow", .choices = "slow|fast"},
    {.name = "tag", .type = OptionType::kString, .many = true},
};

std::string refusal(std::string_view name, std::string_view value) {
  Options options(kRows);
  auto set = options.set(name, value);
  return set ? "taken" : set.error().message;
}

TEST(Options, DefaultsAndValues) {
  Options options(kRows);
  EXPECT_EQ(options.integer("count"), 5);
  EXPECT_EQ(options.text("mode"), "slow");
  EXPECT_FALSE(options.given("count"));
  EXPECT_FALSE(options.has("heat"));
  EXPECT_EQ(options.number("heat", 0.5), 0.5);
  EXPECT_FALSE(options.flag("loud"));
  ASSERT_TRUE(options.set("count", "+10"));
  ASSERT_TRUE(options.set("heat", "1e-3"));
  ASSERT_TRUE(options.set("loud", "Yes"));
  ASSERT_TRUE(options.set("tag", "a"));
  ASSERT_TRUE(options.set("tag", "[1,2]"));
  EXPECT_EQ(options.integer("count"), 10);
  EXPECT_EQ(options.number("heat"), 1e-3);
  EXPECT_TRUE(options.flag("loud"));
  EXPECT_EQ(options.list("tag"), (std::vector<std::string>{"a", "[1,2]"}));
}

TEST(Options, RefusalsSayWhatIsAccepted) {
  EXPECT_EQ(refusal("count", "11"), "count takes a whole number from 1 to 10, not '11'");
  EXPECT_EQ(refusal("heat", "-1"), "heat takes a number of at least 0, not '-1'");
  EXPECT_EQ(refusal("mode", "medium"), "mode takes one of slow, fast, not 'medium'");
  EXPECT_EQ(refusal("mode", ""), "mode takes one of slow, fast, not ''");
  EXPECT_EQ(refusal("none", "1"), "there is no option 'none'");
  for (std::string_view bad : {"", " 1", "1 ", "0x1", "1.0", "+-1", "--1", "++1", "1e1", "one"})
    EXPECT_NE(refusal("seed", bad), "taken") << bad;
  for (std::string_view bad : {"", "nan", "inf", "-inf", "1e999", "1,5", "0x1p3", "1.5f", " 1"})
    EXPECT_NE(refusal("heat", bad), "taken") << bad;
  EXPECT_EQ(refusal("seed", "-9223372036854775808"), "taken");
  EXPECT_NE(refusal("seed", "9223372036854775808"), "taken");
  EXPECT_NE(refusal("tag", std::string_view("a\0b", 3)), "taken");
}

TEST(Options, ARefusedValueChangesNothing) {
  Options options(kRows);
  ASSERT_TRUE(options.set("count", "7"));
  ASSERT_FALSE(options.set("count", "70"));
  EXPECT_EQ(options.integer("count"), 7);
}

TEST(Options, Environment) {
  Options options(kRows);
  setenv("OLLAMA_TEST_NUMBER", " \"3\" ", 1);
  ASSERT_TRUE(options.read_environment());
  EXPECT_EQ(options.integer("count"), 3);
  EXPECT_TRUE(options.given("count"));
  setenv("HEARTH_TEST_COUNT", "4", 1);
  Options second(kRows);
  ASSERT_TRUE(second.read_environment());
  EXPECT_EQ(second.integer("count"), 4);  // ours before Ollama's
  Options third(kRows);
  ASSERT_TRUE(third.set("count", "9"));
  ASSERT_TRUE(third.read_environment());
  EXPECT_EQ(third.integer("count"), 9);  // the command line before both
  setenv("HEARTH_TEST_COUNT", "many", 1);
  auto read = Options(kRows).read_environment();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message,
            "HEARTH_TEST_COUNT takes a whole number from 1 to 10, not 'many'");
  setenv("HEARTH_TEST_COUNT", "", 1);  // empty is unset
  EXPECT_EQ(environment("TEST_COUNT", "TEST_NUMBER"), "3");
  unsetenv("HEARTH_TEST_COUNT");
  unsetenv("OLLAMA_TEST_NUMBER");
  EXPECT_EQ(environment("TEST_COUNT", "TEST_NUMBER"), std::nullopt);
}

TEST(Options, NearestName) {
  constexpr std::string_view kNames[] = {"create", "list", "show", "cp", "rm", "verify"};
  EXPECT_EQ(nearest_name("creat", kNames), "create");
  EXPECT_EQ(nearest_name("lst", kNames), "list");
  EXPECT_EQ(nearest_name("verfiy", kNames), "verify");
  EXPECT_EQ(nearest_name("xyz", kNames), "");
  EXPECT_EQ(nearest_name("quantize", kNames), "");
}

}  // namespace
}  // namespace hearth
