// Files that the Python packages `gguf` and `safetensors` wrote, against what they read from them
// (tests/data/container/expected.json).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "container/tensor_file.h"

namespace hearth {
namespace {

const std::string kFolder = HEARTH_TEST_DATA "/container/";

const Json& expected() {
  static const Json all = [] {
    auto text = read_file(kFolder + "expected.json", 1 << 20);
    EXPECT_TRUE(text.has_value());
    auto value = Json::parse(text.value_or("{}"));
    EXPECT_TRUE(value.has_value());
    return value.value_or(Json());
  }();
  return all;
}

// Numbers as Python's int and float.hex print them, so that every bit counts.
std::string hex(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.13a", value);
  std::string out = text;
  return value == 0 ? (std::signbit(value) ? "-0x0.0p+0" : "0x0.0p+0") : out;
}

std::string scalar_text(const MetaValue& value) {
  if (const auto* natural = std::get_if<uint64_t>(&value.value)) return fmt::to_string(*natural);
  if (const auto* integer = std::get_if<int64_t>(&value.value)) return fmt::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value.value)) return hex(*real);
  if (const auto* text = std::get_if<std::string>(&value.value)) return *text;
  return "?";
}

std::string item_text(const MetaArray& array, uint64_t i) {
  if (array.item == MetaType::kString) return std::string(array.strings[i]);
  if (array.item == MetaType::kF32 || array.item == MetaType::kF64) return hex(array.number_at(i));
  if (array.item != MetaType::kU64) return fmt::to_string(array.integer_at(i));
  uint64_t natural;
  std::memcpy(&natural, array.raw.data() + 8 * i, 8);
  return fmt::to_string(natural);
}

std::string python_name(MetaType type) {
  constexpr std::string_view kNames[kMetaTypes] = {
      "UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "FLOAT32",
      "BOOL", "STRING", "ARRAY", "UINT64", "INT64", "FLOAT64"};
  return std::string(kNames[static_cast<uint32_t>(type)]);
}

void check_key(const MetaValue& value, const Json& wanted, const std::string& key) {
  const auto& types = wanted["types"].as_array();
  EXPECT_EQ(python_name(value.type), types[0].as_string()) << key;
  const Json& right = wanted["value"];
  if (const auto* array = std::get_if<MetaArray>(&value.value)) {
    EXPECT_EQ(python_name(array->item), types[1].as_string()) << key;
    ASSERT_EQ(array->count, right.as_array().size()) << key;
    for (uint64_t i = 0; i < array->count; ++i) {
      const Json& item = right.as_array()[i];
      EXPECT_EQ(item_text(*array, i),
                item.is_bool() ? fmt::to_string(int{item.as_bool()}) : item.as_string()) << key;
    }
  } else if (right.is_bool()) {
    EXPECT_EQ(std::get<bool>(value.value), right.as_bool()) << key;
  } else {
    EXPECT_EQ(scalar_text(value), right.as_string()) << key;
  }
}

void check_tensor(const TensorFile& file, const TensorInfo& tensor, const Json& wanted) {
  EXPECT_EQ(tensor.encoding->name, wanted["type"].as_string()) << tensor.name;
  std::vector<uint64_t> shape;
  for (const Json& dim : wanted["shape"].as_array())
    shape.push_back(static_cast<uint64_t>(dim.as_int()));
  EXPECT_EQ(tensor.shape, shape) << tensor.name;
  EXPECT_EQ(sha256_hex(file.data(tensor)), wanted["sha256"].as_string()) << tensor.name;
}

void check_gguf_keys(const TensorFile& file, const Json& wanted) {
  EXPECT_EQ(file.metadata().pairs().size(), wanted.as_object().size());
  for (const auto& [key, value] : wanted.as_object()) {
    const MetaValue* found = file.metadata().find(key);
    ASSERT_NE(found, nullptr) << key;
    check_key(*found, value, key);
  }
}

TEST(Fixtures, GgufOfEveryType) {
  for (std::string name : {"everything.gguf", "vocabulary.gguf"}) {
    auto file = TensorFile::open(kFolder + name);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    check_gguf_keys(*file, expected()[name]["keys"]);
    const auto& tensors = expected()[name]["tensors"].as_object();
    ASSERT_EQ(file->tensors().size(), tensors.size());
    for (const auto& [tensor, wanted] : tensors) {
      ASSERT_NE(file->find(tensor), nullptr) << tensor;
      check_tensor(*file, *file->find(tensor), wanted);
    }
  }
  EXPECT_EQ(expected()["everything.gguf"]["tensors"].as_object().size(), 13u);
}

TEST(Fixtures, SplitGguf) {
  auto file = TensorFile::open(kFolder + "split-00001-of-00003.gguf");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->metadata().uint("t.first").value(), 1u);
  ASSERT_EQ(file->tensors().size(), 5u);
  for (int part = 1; part <= 3; ++part) {
    const Json& wanted = expected()[fmt::format("split-{:05}-of-00003.gguf", part)]["tensors"];
    for (const auto& [tensor, row] : wanted.as_object()) {
      ASSERT_NE(file->find(tensor), nullptr) << tensor;
      EXPECT_EQ(file->find(tensor)->part, static_cast<uint32_t>(part - 1));
      check_tensor(*file, *file->find(tensor), row);
    }
  }
}

TEST(Fixtures, BigEndianGgufIsNamed) {
  auto file = TensorFile::open(kFolder + "big_endian.gguf");
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message.find("the file is big-endian (version 3)"), std::string::npos);
}

void check_safetensors(const TensorFile& file, const Json& wanted) {
  size_t skipped = 0;
  for (const auto& [tensor, row] : wanted["tensors"].as_object()) {
    const TensorInfo* found = file.find(tensor);
    if (found != nullptr) check_tensor(file, *found, row);
    if (found == nullptr) ++skipped;
  }
  EXPECT_EQ(skipped, file.skipped().size());
}

TEST(Fixtures, Safetensors) {
  auto file = TensorFile::open(kFolder + "plain.safetensors");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  check_safetensors(*file, expected()["plain.safetensors"]);
  EXPECT_EQ(file->tensors().size(), 5u);
  EXPECT_EQ(file->skipped().size(), 4u) << "ids, mask, byte and the empty one";
  for (const auto& [key, text] : expected()["plain.safetensors"]["metadata"].as_object())
    EXPECT_EQ(file->metadata().text(key).value_or("absent"), text.as_string());
}

TEST(Fixtures, SafetensorsWithF64AreRefusedByName) {
  auto file = TensorFile::open(kFolder + "f64.safetensors");
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, Code::kUnsupported);
  EXPECT_NE(file.error().message.find("tensor 'd' dtype"), std::string::npos);
}

TEST(Fixtures, ShardsOfAFolder) {
  auto file = TensorFile::open(kFolder + "shards");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->tensors().size(), 6u);
  for (int part = 1; part <= 3; ++part) {
    const Json& wanted =
        expected()[fmt::format("shards/model-{:05}-of-00003.safetensors", part)]["tensors"];
    EXPECT_EQ(wanted.as_object().size(), 2u);
    for (const auto& [tensor, row] : wanted.as_object()) {
      ASSERT_NE(file->find(tensor), nullptr) << tensor;
      check_tensor(*file, *file->find(tensor), row);
    }
  }
}

}  // namespace
}  // namespace hearth
