#include "container/writer.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "container/test_folder.h"

namespace hearth {
namespace {

std::vector<std::byte> random_bytes(uint64_t count, uint64_t stream) {
  std::vector<std::byte> out(count);
  for (uint64_t i = 0; i < count; ++i) out[i] = static_cast<std::byte>(philox(1, stream, i)[0]);
  return out;
}

// A tensor of random bytes; the same name and shape give the same bytes.
TensorToWrite random_tensor(std::string name, std::vector<uint64_t> shape,
                            const Encoding* encoding, uint64_t stream) {
  uint64_t elems = 1;
  for (uint64_t dim : shape) elems *= dim;
  uint64_t bytes = encoding->bytes_of(elems);
  auto fill = [bytes, stream](std::vector<std::byte>& out) -> Result<void> {
    auto data = random_bytes(bytes, stream);
    out.insert(out.end(), data.begin(), data.end());
    return {};
  };
  return {std::move(name), std::move(shape), encoding, fill};
}

void expect_same(const MetaValue& a, const MetaValue& b, const std::string& key) {
  ASSERT_EQ(a.type, b.type) << key;
  const auto *x = std::get_if<MetaArray>(&a.value), *y = std::get_if<MetaArray>(&b.value);
  ASSERT_EQ(x == nullptr, y == nullptr) << key;
  if (x == nullptr) {
    bool same = std::visit(
        [&](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, MetaArray>) return false;
          else return value == std::get<T>(b.value);
        },
        a.value);
    EXPECT_TRUE(same) << key;
    return;
  }
  EXPECT_EQ(x->item, y->item) << key;
  EXPECT_EQ(x->count, y->count) << key;
  EXPECT_EQ(x->strings, y->strings) << key;
  EXPECT_TRUE(std::ranges::equal(x->raw, y->raw)) << key;
}

Metadata every_type() {
  Metadata meta;
  meta.set("u8", {MetaType::kU8, uint64_t{255}});
  meta.set("i8", {MetaType::kI8, int64_t{-128}});
  meta.set("u16", {MetaType::kU16, uint64_t{65535}});
  meta.set("i16", {MetaType::kI16, int64_t{-32768}});
  meta.set_u32("u32", 4'000'000'000u);
  meta.set("i32", {MetaType::kI32, int64_t{INT32_MIN}});
  meta.set("u64", {MetaType::kU64, uint64_t{UINT64_MAX}});
  meta.set("i64", {MetaType::kI64, int64_t{INT64_MIN}});
  meta.set_f32("f32", 0.1f);
  meta.set("f64", {MetaType::kF64, 0.1});
  meta.set_bool("yes", true);
  meta.set_bool("no", false);
  meta.set_string("text", std::string("a\0b\n", 4));
  meta.set_strings("strings", {"", "x", std::string(1000, 'y')});
  meta.set_floats("floats", std::array{1.0f, -0.0f});
  meta.set_ints("ints", std::array<int32_t, 2>{INT32_MIN, INT32_MAX});
  meta.set_ints("none", {});
  meta.set_strings("no strings", {});
  return meta;
}

class Writer : public TestFolder {};

TEST_F(Writer, GgufRoundTrip) {
  for (uint32_t alignment : {8u, 32u, 4096u, 65536u}) {
    Metadata meta = every_type();
    meta.set_u32("general.alignment", alignment);
    std::vector<TensorToWrite> tensors = {random_tensor("scalar", {}, &k_f32, 1),
                                          random_tensor("a", {3, 5}, &k_f16, 2),
                                          random_tensor("b", {2, 3, 2, 7}, &k_bf16, 3)};
    uint64_t stream = 10;
    for (const Encoding* encoding : encodings()) {
      tensors.push_back(random_tensor("e." + std::string(encoding->name),
                                      {3, 2ull * encoding->block_elems}, encoding, stream++));
    }
    ASSERT_TRUE(write_gguf(path("m.gguf"), meta, tensors).has_value());
    auto file = TensorFile::open(path("m.gguf"));
    ASSERT_TRUE(file.has_value()) << file.error().message;
    ASSERT_EQ(file->metadata().pairs().size(), meta.pairs().size());
    for (size_t i = 0; i < meta.pairs().size(); ++i) {
      const auto& [key, value] = file->metadata().pairs()[i];
      EXPECT_EQ(key, meta.pairs()[i].first);
      expect_same(value, meta.pairs()[i].second, key);
    }
    ASSERT_EQ(file->tensors().size(), tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      const TensorInfo& tensor = file->tensors()[i];
      EXPECT_EQ(tensor.name, tensors[i].name);
      EXPECT_EQ(tensor.shape, tensors[i].shape);
      EXPECT_EQ(tensor.encoding, tensors[i].encoding);
      EXPECT_EQ(tensor.offset % alignment, 0u);
      std::vector<std::byte> data;
      ASSERT_TRUE(tensors[i].fill(data).has_value());
      EXPECT_TRUE(std::ranges::equal(file->data(tensor), data)) << tensor.name;
    }
    EXPECT_EQ(file->file_bytes() % alignment, 0u) << "the last tensor is padded too";
  }
}

TEST_F(Writer, WhatWasReadIsWrittenToTheSameBytes) {
  Metadata meta = every_type();
  ASSERT_TRUE(write_gguf(path("a"), meta, {random_tensor("t", {4, 4}, &k_f32, 1)}).has_value());
  auto file = TensorFile::open(path("a"));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  Metadata copy = file->metadata();
  ASSERT_TRUE(write_gguf(path("b"), copy, {random_tensor("t", {4, 4}, &k_f32, 1)}).has_value());
  EXPECT_EQ(read_file(path("a"), 1 << 20).value(), read_file(path("b"), 1 << 20).value());
}

TEST_F(Writer, SafetensorsRoundTrip) {
  std::vector<TensorToWrite> tensors = {random_tensor("half", {3}, &k_f16, 1),
                                        random_tensor("w \"x\"\n", {2, 3}, &k_f32, 2),
                                        random_tensor("five", {1, 2, 1, 2, 3}, &k_bf16, 3),
                                        random_tensor("scalar", {}, &k_f32, 4)};
  ASSERT_TRUE(
      write_safetensors(path("m.safetensors"), {{"format", "pt"}, {"k", "v\n"}}, tensors));
  auto file = TensorFile::open(path("m.safetensors"));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->metadata().text("k").value(), "v\n");
  ASSERT_EQ(file->tensors().size(), 4u);
  for (const TensorToWrite& tensor : tensors) {
    const TensorInfo* found = file->find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_EQ(found->encoding, tensor.encoding);
    EXPECT_EQ(found->offset % tensor.encoding->block_bytes, 0u) << "values are aligned";
    std::vector<std::byte> data;
    ASSERT_TRUE(tensor.fill(data).has_value());
    EXPECT_TRUE(std::ranges::equal(file->data(*found), data));
  }
  ASSERT_TRUE(write_safetensors(path("again"), {{"format", "pt"}, {"k", "v\n"}}, tensors));
  EXPECT_EQ(read_file(path("m.safetensors"), 1 << 20).value(),
            read_file(path("again"), 1 << 20).value());
  ASSERT_TRUE(write_safetensors(path("empty"), {}, {}));
  EXPECT_TRUE(TensorFile::open_safetensors(open_mapped(path("empty")).value()).has_value());
}

// Writes m.gguf, m.safetensors and what they hold (m.json) into HEARTH_WRITE_TO, where
// tests/long/container_python.py reads them with the formats' Python packages.
TEST_F(Writer, FilesForOtherReaders) {
  const char* wanted = std::getenv("HEARTH_WRITE_TO");
  std::string folder = wanted != nullptr ? wanted : folder_.string();
  std::vector<TensorToWrite> packed = {random_tensor("four", {2, 3, 2, 7}, &k_f32, 1)}, plain;
  uint64_t stream = 10;
  for (const Encoding* encoding : encodings())
    packed.push_back(random_tensor("e." + std::string(encoding->name),
                                   {3, 2ull * encoding->block_elems}, encoding, stream++));
  for (const Encoding* encoding : {&k_f16, &k_f32, &k_bf16})
    plain.push_back(random_tensor("p \xC3\xBC " + std::string(encoding->name), {3, 5}, encoding,
                                  stream++));
  Metadata meta = every_type();
  meta.set_u32("general.alignment", 64);
  ASSERT_TRUE(write_gguf(folder + "/m.gguf", meta, packed).has_value());
  ASSERT_TRUE(write_safetensors(folder + "/m.safetensors", {{"a", "b\n\""}}, plain).has_value());
  Json listing;
  for (std::string name : {"m.gguf", "m.safetensors"}) {
    auto file = TensorFile::open(folder + "/" + name);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    Json tensors;
    for (const TensorInfo& tensor : file->tensors()) {
      Json::Array shape(tensor.shape.begin(), tensor.shape.end());
      tensors.set(tensor.name, Json::Array{tensor.encoding->name, shape,
                                           sha256_hex(file->data(tensor))});
    }
    listing.set(name, tensors);
  }
  ASSERT_TRUE(write_file_atomic(folder + "/m.json", listing.dump(1)).has_value());
}

TEST_F(Writer, RefusesWhatNoReaderTakes) {
  auto code = [&](const Metadata& meta, std::vector<TensorToWrite> tensors) {
    auto written = write_gguf(path("m"), meta, tensors);
    EXPECT_FALSE(std::filesystem::exists(path("m")));
    return written ? Code::kInternal : written.error().code;
  };
  auto tensor = [](std::vector<uint64_t> shape, const Encoding* encoding = &k_f32) {
    return TensorToWrite{"a", std::move(shape), encoding, {}};
  };
  EXPECT_EQ(code({}, {tensor({2, 0})}), Code::kInvalid);
  EXPECT_EQ(code({}, {tensor({1, 1, 1, 1, 1})}), Code::kInvalid);
  EXPECT_EQ(code({}, {tensor({33}, &k_q8_0)}), Code::kInvalid);
  EXPECT_EQ(code({}, {tensor({1ull << 62})}), Code::kInvalid);
  EXPECT_EQ(code({}, {tensor({1ull << 40, 1ull << 40})}), Code::kInvalid);
  EXPECT_EQ(code({}, {tensor({1}, nullptr)}), Code::kInvalid);
  EXPECT_EQ(code({}, {tensor({1}), tensor({2})}), Code::kInvalid);
  Metadata meta;
  meta.set_u32("general.alignment", 48);
  EXPECT_EQ(code(meta, {}), Code::kInvalid);
  meta = {};
  meta.set("a", {MetaType::kU8, uint64_t{256}});
  EXPECT_EQ(code(meta, {}), Code::kInvalid);
  meta = {};
  meta.set("a", {MetaType::kU8, std::string("x")});
  EXPECT_EQ(code(meta, {}), Code::kInvalid);
  meta = {};
  meta.set_u32("\xFF", 1);
  EXPECT_EQ(code(meta, {}), Code::kInvalid);
  EXPECT_EQ(write_safetensors(path("m"), {}, {tensor({32}, &k_q8_0)}).error().code, Code::kInvalid);
  EXPECT_EQ(write_safetensors(path("m"), {{"a", "1"}, {"a", "2"}}, {}).error().code,
            Code::kInvalid);
  EXPECT_EQ(write_safetensors(path("m"), {{"a", "\xFF"}}, {}).error().code, Code::kInvalid);
}

TEST_F(Writer, AFailedFillLeavesNoFile) {
  TensorToWrite tensor{"a", {2}, &k_f32, [](std::vector<std::byte>&) -> Result<void> {
                         return fail(Code::kCancelled, "enough");
                       }};
  EXPECT_EQ(write_gguf(path("m"), {}, {tensor}).error().code, Code::kCancelled);
  tensor.fill = [](std::vector<std::byte>& out) -> Result<void> {
    out.resize(7);
    return {};
  };
  EXPECT_EQ(write_gguf(path("m"), {}, {tensor}).error().message,
            "tensor 'a': 7 bytes were filled in instead of 8");
  EXPECT_FALSE(write_safetensors(path("m"), {}, {tensor}).has_value());
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace hearth
