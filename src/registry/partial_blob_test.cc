#include "registry/partial_blob.h"

#include "base/sha256.h"
#include "registry/test_store.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

const std::string kWhole = "one part, another part, the last part";
const std::string kParts[] = {"one part, ", "another part, ", "the last part"};

Digest whole_digest() { return Digest::parse(sha256_hex(kWhole)).value(); }

Result<PartialBlob> open_blob(const Store& store, uint64_t size = kWhole.size(),
                              uint32_t parts = 3) {
  return PartialBlob::open(store, whole_digest(), size, parts);
}

Result<void> add(PartialBlob& blob, std::string_view text) {
  return blob.append(std::as_bytes(std::span(text)));
}

class PartialBlobTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(temp_.store().begin_write()); }
  fs::path file(std::string_view suffix) const {
    fs::path path = temp_.store().blob_path(whole_digest());
    return path += suffix;
  }
  TemporaryStore temp_;
};

TEST_F(PartialBlobTest, GoesOnWhereItStopped) {
  for (int i = 0; i < 3; ++i) {
    PartialBlob blob = open_blob(temp_.store()).value();
    ASSERT_EQ(blob.next_part(), static_cast<uint32_t>(i + 1));
    // Half of it comes, and the program dies.
    ASSERT_TRUE(add(blob, kParts[i].substr(0, 4)));
    PartialBlob dead = std::move(blob);
    { PartialBlob gone = std::move(dead); }
    PartialBlob again = open_blob(temp_.store()).value();
    ASSERT_EQ(again.next_part(), static_cast<uint32_t>(i + 1));
    ASSERT_TRUE(add(again, kParts[i].substr(0, 4)));
    ASSERT_TRUE(add(again, kParts[i].substr(4)));
    ASSERT_TRUE(again.end_part());
  }
  PartialBlob blob = open_blob(temp_.store()).value();
  EXPECT_TRUE(blob.all_parts());
  EXPECT_FALSE(blob.complete_already());
  ASSERT_TRUE(blob.complete());
  EXPECT_EQ(temp_.store().read_text(whole_digest()).value(), kWhole);
  EXPECT_FALSE(fs::exists(file("-partial")));
  EXPECT_FALSE(fs::exists(file("-partial.json")));
  EXPECT_TRUE(open_blob(temp_.store())->complete_already());
}

TEST_F(PartialBlobTest, RefusesTooManyBytesAndTooFew) {
  PartialBlob blob = open_blob(temp_.store()).value();
  EXPECT_EQ(add(blob, kWhole + "!").error().code, Code::kTooLarge);
  EXPECT_EQ(blob.complete().error().code, Code::kInvalid);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(add(blob, kParts[i]));
    ASSERT_TRUE(blob.end_part());
  }
  ASSERT_TRUE(add(blob, "short"));
  EXPECT_EQ(blob.end_part().error().code, Code::kCorrupt);
}

TEST_F(PartialBlobTest, WrongBytesAreDroppedAsAWhole) {
  {
    PartialBlob blob = open_blob(temp_.store(), kWhole.size(), 1).value();
    ASSERT_TRUE(add(blob, std::string(kWhole.size(), 'x')));
    ASSERT_TRUE(blob.end_part());
    EXPECT_EQ(blob.complete().error().code, Code::kCorrupt);
  }
  EXPECT_FALSE(temp_.store().has_blob(whole_digest()));
  EXPECT_EQ(open_blob(temp_.store())->next_part(), 1u);
}

TEST_F(PartialBlobTest, JournalsThatDoNotFitAreDropped) {
  for (std::string_view journal :
       {"", "{", "[]", R"({"size":37,"parts":3,"done":2,"bytes":999})",
        R"({"size":37,"parts":3,"done":9,"bytes":5})",
        R"({"size":37,"parts":4,"done":1,"bytes":5})",
        R"({"size":37,"parts":3,"done":-1,"bytes":-5})", R"({"size":"a","parts":{},"done":1})"}) {
    write_text(file("-partial"), kWhole.substr(0, 20));
    write_text(file("-partial.json"), journal);
    PartialBlob blob = open_blob(temp_.store()).value();
    EXPECT_EQ(blob.next_part(), 1u) << journal;
    EXPECT_EQ(fs::file_size(file("-partial")), 0u);
  }
}

TEST_F(PartialBlobTest, OneFeederAtATime) {
  PartialBlob blob = open_blob(temp_.store()).value();
  auto second = open_blob(temp_.store());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kBusy);
}

TEST_F(PartialBlobTest, ASymbolicLinkIsNotFollowed) {
  write_text(temp_.root() / "precious", "precious");
  fs::create_symlink(temp_.root() / "precious", file("-partial"));
  EXPECT_FALSE(open_blob(temp_.store()));
  EXPECT_EQ(read_file(temp_.root() / "precious", 100).value(), "precious");
}

}  // namespace
}  // namespace hearth
