// The table of sampling parameters: each row reaches its member under both of its names.
#include "base/sampling_params.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace hearth {
namespace {

std::vector<OptionRow> parameter_names() {
  std::vector<OptionRow> rows;
  for (const SamplingRow& row : sampling_rows()) rows.push_back(row.option);
  return rows;
}

// A value that is not the default, as a user would type it.
std::string other_value(const OptionRow& row) {
  if (row.type == OptionType::kFlag) return "true";
  if (row.type == OptionType::kChoice)
    return std::string(row.choices.substr(row.choices.rfind('|') + 1));
  if (row.value_name == "ID:BIAS") return "7:1.5";
  if (row.type == OptionType::kString) return "3";
  return row.max >= 2 ? "2" : "0.25";
}

TEST(SamplingParams, EveryRowReachesItsMember) {
  std::vector<OptionRow> names = parameter_names();
  std::span<const OptionRow> flags = sampling_flags();
  ASSERT_EQ(names.size(), flags.size());
  std::set<std::string_view> seen;
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_TRUE(seen.insert(names[i].name).second) << names[i].name;
    EXPECT_EQ(flags[i].name.find('_'), std::string_view::npos);
    for (auto rows : {std::span<const OptionRow>(names), flags}) {
      Options options(rows);
      ASSERT_TRUE(options.set(rows[i].name, other_value(rows[i]))) << rows[i].name;
      SamplingParams params;
      ASSERT_TRUE(apply_sampling(options, params)) << rows[i].name;
      const SamplingTarget& target = sampling_rows()[i].target;
      if (auto number = std::get_if<double SamplingParams::*>(&target)) {
        EXPECT_EQ(params.*(*number), options.number(rows[i].name));
        EXPECT_NE(params.*(*number), SamplingParams().*(*number)) << rows[i].name;
      } else if (auto whole = std::get_if<int64_t SamplingParams::*>(&target)) {
        EXPECT_EQ(params.*(*whole), 2);
      } else if (auto flag = std::get_if<bool SamplingParams::*>(&target)) {
        EXPECT_TRUE(params.*(*flag));
      } else if (auto list = std::get_if<std::vector<std::string> SamplingParams::*>(&target)) {
        EXPECT_EQ(params.*(*list), std::vector<std::string>{"3"});
      }
    }
  }
}

TEST(SamplingParams, Lists) {
  Options options(sampling_flags());
  for (const char* text : {"5:1.25", "6:false", "7:-1e30"})
    ASSERT_TRUE(options.set("logit-bias", text));
  ASSERT_TRUE(options.set("stop-token-id", "9"));
  SamplingParams params;
  ASSERT_TRUE(apply_sampling(options, params));
  ASSERT_EQ(params.logit_bias.size(), 3u);
  EXPECT_EQ(params.logit_bias[0].token, 5);
  EXPECT_EQ(params.logit_bias[0].bias, 1.25f);
  EXPECT_TRUE(std::isinf(params.logit_bias[1].bias));
  EXPECT_EQ(params.logit_bias[2].bias, -1e6f);
  EXPECT_EQ(params.stop_token_ids, std::vector<int32_t>{9});
}

TEST(SamplingParams, BadListsAreRefusedByName) {
  for (auto [flag, text] : {std::pair{"logit-bias", "5"}, {"logit-bias", ":1"},
                            {"logit-bias", "-1:2"}, {"logit-bias", "5:nan"},
                            {"logit-bias", "99999999999:1"}, {"stop-token-id", "x"},
                            {"stop-token-id", "-2"}}) {
    Options options(sampling_flags());
    ASSERT_TRUE(options.set(flag, text));
    SamplingParams params;
    auto applied = apply_sampling(options, params);
    ASSERT_FALSE(applied) << flag << " " << text;
    EXPECT_EQ(applied.error().code, Code::kInvalid);
  }
  Options many(sampling_flags());
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(many.set("stop", "x"));
  SamplingParams params;
  EXPECT_FALSE(apply_sampling(many, params));
}

TEST(SamplingParams, ValuesOutOfRangeNameTheRange) {
  Options options(sampling_flags());
  auto refused = options.set("top-p", "1.5");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("from 0 to 1"), std::string::npos);
  EXPECT_FALSE(options.set("mirostat", "3"));
  EXPECT_FALSE(options.set("repeat-penalty", "0"));
  EXPECT_FALSE(options.set("early-stopping", "maybe"));
}

}  // namespace
}  // namespace hearth
