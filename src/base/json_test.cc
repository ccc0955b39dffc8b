#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "base/utf8.h"

namespace hearth {
namespace {

Json parsed(std::string_view text) {
  auto value = Json::parse(text);
  EXPECT_TRUE(value.has_value()) << text << ": " << (value ? "" : value.error().message);
  return value ? *value : Json();
}

TEST(Json, KeepsOrderAndFindsTheLast) {
  Json value = parsed(R"({"b":1,"a":2,"b":3})");
  ASSERT_EQ(value.as_object().size(), 3u);
  EXPECT_EQ(value.as_object()[0].first, "b");
  EXPECT_EQ(value["b"].as_int(), 3);
  EXPECT_TRUE(value["absent"].is_null());
  EXPECT_EQ(value.find("absent"), nullptr);
  EXPECT_TRUE(value["a"]["deeper"].is_null()) << "a number has no members";
}

TEST(Json, Kinds) {
  Json value = parsed(R"([null,true,-7,1.5,"x",[],{}])");
  const auto& items = value.as_array();
  EXPECT_TRUE(items[0].is_null());
  EXPECT_TRUE(items[1].as_bool());
  EXPECT_EQ(items[2].as_int(), -7);
  EXPECT_EQ(items[2].as_double(), -7.0);
  EXPECT_EQ(items[3].as_double(), 1.5);
  EXPECT_EQ(items[4].as_string(), "x");
  EXPECT_TRUE(items[5].is_array() && items[6].is_object());
  EXPECT_EQ(items[4].kind(), "a string");
}

TEST(Json, NumbersAtTheEdges) {
  EXPECT_EQ(parsed("9223372036854775807").as_int(), INT64_MAX);
  EXPECT_EQ(parsed("-9223372036854775808").as_int(), INT64_MIN);
  EXPECT_TRUE(parsed("9223372036854775808").is_double()) << "beyond int64";
  EXPECT_EQ(parsed("9223372036854775808").as_double(), 0x1p63);
  EXPECT_TRUE(parsed("18446744073709551616").is_double());
  EXPECT_EQ(parsed("5e-324").as_double(), 5e-324);
}

TEST(Json, RefusesWhatIsNoJson) {
  for (std::string_view text : {"", " ", "{", "[1,]", "{\"a\"}", "tru", "01", "1 2", "\"\x80\"",
                                "\"\\ud800\"", "[1]x", "\"a\nb\"", "NaN", "{\"a\":1,}", "'a'"}) {
    auto value = Json::parse(text);
    ASSERT_FALSE(value.has_value()) << text;
    EXPECT_EQ(value.error().code, Code::kCorrupt);
    EXPECT_EQ(value.error().message.find('\n'), std::string::npos) << value.error().message;
    EXPECT_TRUE(is_valid_utf8(value.error().message)) << text;
  }
}

TEST(Json, ANulIsNoEnd) {
  for (std::string_view text : {std::string_view("1\0", 2), std::string_view("1\0x", 3),
                                std::string_view("\"a\0\"", 4)})
    EXPECT_FALSE(Json::parse(text).has_value());
}

TEST(Json, DepthIsBounded) {
  auto nested = [](int depth) {
    return std::string(static_cast<size_t>(depth), '[') +
           std::string(static_cast<size_t>(depth), ']');
  };
  EXPECT_TRUE(Json::parse(nested(Json::kDepthMax)).has_value());
  EXPECT_FALSE(Json::parse(nested(Json::kDepthMax + 1)).has_value());
  auto deep = Json::parse(std::string(1 << 20, '['));
  ASSERT_FALSE(deep.has_value());
  EXPECT_NE(deep.error().message.find("nested too deeply"), std::string::npos);
}

TEST(Json, Dump) {
  Json value;
  value.set("z", 1.0);
  value.set("a", Json::Array{1, "x\"\\\n\x01\x7f", nullptr, true});
  value.set("z", 2.0);
  EXPECT_EQ(value.dump(), "{\"z\": 2.0, \"a\": [1, \"x\\\"\\\\\\n\\u0001\\u007f\", null, true]}");
  EXPECT_EQ(Json(Json::Array{1, 2}).dump(2), "[\n  1,\n  2\n]");
  EXPECT_EQ(Json(Json::Object{}).dump(2), "{}");
  EXPECT_EQ(Json(std::nan("")).dump(), "null");
  EXPECT_EQ(Json(1e22).dump(), "1e+22");
  EXPECT_EQ(Json("gr\xC3\xBC\xC3\x9F\xFF").dump(), "\"gr\xC3\xBC\xC3\x9F\xEF\xBF\xBD\"");
}

TEST(Json, DumpParsesBack) {
  Json value = parsed(R"({"a":[1,-2.5,1e300,"\u00e9\ud83d\ude00\u0000",{"b":[]}],"c":null})");
  EXPECT_EQ(parsed(value.dump()), value);
  EXPECT_EQ(parsed(value.dump(4)), value);
  for (double number : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0})
    EXPECT_EQ(parsed(Json(number).dump()).as_double(), number);
}

TEST(Json, GettersCheckTheKind) {
  Json value = parsed(R"({"n":3,"d":0.5,"b":true,"s":"x","none":null})");
  EXPECT_EQ(value.get_int("n", 7).value(), 3);
  EXPECT_EQ(value.get_int("absent", 7).value(), 7);
  EXPECT_EQ(value.get_int("none", 7).value(), 7);
  EXPECT_EQ(value.get_double("n", 0).value(), 3.0);
  EXPECT_EQ(value.get_string("s", "").value(), "x");
  EXPECT_TRUE(value.get_bool("b", false).value());
  auto wrong = value.get_int("d", 0);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, Code::kInvalid);
  EXPECT_EQ(wrong.error().message, "d must be an integer, not a number");
}

// The public JSON parsing test suite: y_ must parse, n_ must not.
TEST(Json, PublicTestSuite) {
  std::filesystem::path folder = std::filesystem::path(HEARTH_SHARED_DATA) / "json/test_parsing";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << folder << " is not here";
  int seen = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::string name = file.path().filename();
    auto text = read_file(file.path(), 16 << 20);
    ASSERT_TRUE(text.has_value()) << name;
    bool good = Json::parse(*text).has_value();
    EXPECT_FALSE(name.starts_with("y_") && !good) << name;
    EXPECT_FALSE(name.starts_with("n_") && good) << name;
    ++seen;
  }
  EXPECT_GT(seen, 250);
}

}  // namespace
}  // namespace hearth
