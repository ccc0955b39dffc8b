#include "registry/store.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "registry/resolve.h"
#include "registry/test_store.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

// A model of two text layers; enough where nobody loads it.
Manifest put_model(const StoreWriter& writer, std::string_view system) {
  Layer config = writer.put_text(media::kConfig, R"({"model_format":"gguf"})").value();
  return {config, {writer.put_text(media::kSystem, system).value()}};
}

void add_model(const Store& store, std::string_view name, std::string_view system) {
  StoreWriter writer = store.begin_write().value();
  ASSERT_TRUE(writer.write_manifest(name_of(name), put_model(writer, system)));
}

size_t files_in(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
}

TEST(Store, AStoreThatIsNotThereIsEmpty) {
  TemporaryStore temp;
  EXPECT_TRUE(temp.store().list()->empty());
  EXPECT_EQ(temp.store().verify(false)->blobs, 0u);
  EXPECT_EQ(temp.store().read(name_of("x")).error().code, Code::kNotFound);
  EXPECT_EQ(temp.store().remove({name_of("x")}).error().code, Code::kNotFound);
  EXPECT_FALSE(fs::exists(temp.models()));
}

TEST(Store, FirstWriteMakesItForTheOwnerAlone) {
  TemporaryStore temp;
  ASSERT_TRUE(temp.store().begin_write());
  for (const fs::path& folder : {temp.models(), temp.models().parent_path()})
    EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all) << folder;
}

TEST(Store, ManifestRoundTrip) {
  TemporaryStore temp;
  add_model(temp.store(), "Mine:V1", "be brief");
  StoredModel model = temp.store().read(name_of("mine:v1")).value();
  EXPECT_EQ(model.name.display(), "Mine:V1");  // as stored
  EXPECT_EQ(temp.store().read_text(model.manifest.layers[0].digest).value(), "be brief");
  fs::path file = temp.models() / "manifests/registry.ollama.ai/library/Mine/V1";
  std::string text = read_file(file, 1 << 20).value();
  EXPECT_EQ(sha256_hex(text), model.digest);
  EXPECT_EQ(Manifest::parse(text)->dump(), text);
  // Another case replaces the model instead of standing beside it.
  add_model(temp.store(), "MINE:v1", "be long");
  EXPECT_EQ(temp.store().list()->size(), 1u);
  EXPECT_EQ(temp.store().read(name_of("Mine:V1"))->manifest.layers[0].size, 7u);
}

// gemma:2b as Ollama itself wrote it (tests/data/registry/README.md).
TEST(Store, ReadsWhatOllamaWrote) {
  TemporaryStore temp;
  std::string manifest = read_file(test_data("ollama/manifest.json"), 1 << 20).value();
  fs::path models = temp.models();
  write_text(models / "manifests/registry.ollama.ai/library/gemma/2b", manifest);
  for (auto [name, hex] :
       {std::pair{"ollama/template",
                  "109037bec39c0becc8221222ae23557559bc594290945a2c4221ab4f303b8871"},
        std::pair{"ollama/params",
                  "22a838ceb7fb22755a3b0ae9b4eadde629d19be1f651f73efb8c6b4e2cd0eea0"}})
    write_text(models / "blobs" / (std::string("sha256-") + hex),
               read_file(test_data(name), 1 << 20).value());
  std::vector<StoredModel> all = temp.store().list().value();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].name.display(), "gemma:2b");
  EXPECT_EQ(all[0].digest.substr(0, 12), "b50d6c999e59");  // what `ollama list` shows
  EXPECT_EQ(all[0].manifest.total_size(), 1678447520u + 8433 + 136 + 84 + 483);
  EXPECT_EQ(all[0].manifest.dump(), manifest);  // our JSON is Ollama's, byte for byte
  std::string text =
      temp.store().read_text(all[0].manifest.find(media::kTemplate)->digest).value();
  EXPECT_EQ(template_language(text), TemplateLanguage::kGo);
  auto resolved = resolve_model(temp.store(), "gemma:2b");
  ASSERT_FALSE(resolved);
  EXPECT_NE(resolved.error().message.find("c1864a5eb193"), std::string::npos);
  // The two blobs are right, three are missing, and that is one problem of one model.
  VerifyReport report = temp.store().verify(false).value();
  EXPECT_EQ(report.blobs, 2u);
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.problems[0].what, "model gemma:2b");
}

TEST(Store, HostileManifests) {
  const std::string good(64, 'a');
  auto manifest = [&](std::string_view digest, std::string_view size, std::string_view rest = "") {
    return fmt::format(R"({{"schemaVersion":2,"config":{{"mediaType":"c","digest":"sha256:{}",)"
                       R"("size":1}},"layers":[{{"mediaType":"m","digest":"{}","size":{}{}}}]}})",
                       good, digest, size, rest);
  };
  EXPECT_TRUE(Manifest::parse(manifest("sha256:" + good, "5")));
  const std::string kBad[] = {
      "", "[]", "{}", "null", "{\"schemaVersion\":1}",
      manifest("sha256:../../../../etc/passwd", "5"), manifest("sha256:" + good + "/../x", "5"),
      manifest("", "5"), manifest("sha256:" + good, "-1"),
      manifest("sha256:" + good, "1e99"), manifest("sha256:" + good, "\"5\""),
      manifest("sha256:" + good, "9223372036854775807"),
      R"({"schemaVersion":2,"config":null,"layers":[]})",
      R"({"schemaVersion":2,"config":{"digest":7,"size":1},"layers":[]})",
      fmt::format(R"({{"schemaVersion":2,"config":{{"digest":"sha256:{}","size":1}},)"
                  R"("layers":{{}}}})", good),
      fmt::format(R"({{"schemaVersion":2,"config":{{"digest":"sha256:{0}","size":1}},"layers":[)"
                  R"({{"mediaType":"{1}","digest":"sha256:{0}","size":1,"name":"../x"}}]}})",
                  good, media::kFile),
      std::string(200'000, '['), std::string("\0\0\0", 3)};
  for (const std::string& text : kBad) {
    auto parsed = Manifest::parse(text);
    ASSERT_FALSE(parsed) << text.substr(0, 200);
    EXPECT_EQ(parsed.error().code, Code::kCorrupt) << text.substr(0, 200);
  }
}

TEST(Store, HalfAManifestIsReportedAndNothingIsRemovedBecauseOfIt) {
  TemporaryStore temp;
  add_model(temp.store(), "good", "one");
  add_model(temp.store(), "other", "two");
  write_text(temp.models() / "manifests/registry.ollama.ai/library/half/latest", "{\"schemaV");
  std::vector<StoreProblem> broken;
  EXPECT_EQ(temp.store().list(&broken)->size(), 2u);
  ASSERT_EQ(broken.size(), 1u);
  EXPECT_EQ(broken[0].what, "manifest half:latest");
  size_t before = files_in(temp.models() / "blobs");
  ASSERT_TRUE(temp.store().remove({name_of("other")}));
  EXPECT_EQ(files_in(temp.models() / "blobs"), before);  // half might need them
  ASSERT_TRUE(temp.store().remove({name_of("half")}));
  EXPECT_TRUE(temp.store().verify(false)->problems.empty());
}

TEST(Store, RemoveTakesOnlyWhatNobodyElseUses) {
  TemporaryStore temp;
  add_model(temp.store(), "a", "shared");
  add_model(temp.store(), "b", "own");
  ASSERT_TRUE(temp.store().begin_write()->copy(name_of("a"), name_of("deep/er:x")));
  EXPECT_EQ(temp.store().list()->size(), 3u);
  EXPECT_EQ(files_in(temp.models() / "blobs"), 3u);  // one config, two systems
  // All or nothing.
  EXPECT_FALSE(temp.store().remove({name_of("a"), name_of("nope")}));
  EXPECT_EQ(temp.store().list()->size(), 3u);
  ASSERT_TRUE(temp.store().remove({name_of("A"), name_of("b")}));
  EXPECT_EQ(files_in(temp.models() / "blobs"), 2u);
  EXPECT_FALSE(fs::exists(temp.models() / "manifests/registry.ollama.ai/library"));
  Digest digest = temp.store().read(name_of("deep/er:x"))->manifest.layers[0].digest;
  EXPECT_EQ(temp.store().read_text(digest).value(), "shared");
  ASSERT_TRUE(temp.store().remove({name_of("deep/er:x")}));
  EXPECT_EQ(files_in(temp.models() / "blobs"), 0u);
}

TEST(Store, BlobsAreCheckedAgainstTheDigestThatWasPromised) {
  TemporaryStore temp;
  StoreWriter writer = temp.store().begin_write().value();
  BlobWriter blob = writer.begin_blob().value();
  Digest promised = Digest::parse(std::string(64, '0')).value();
  ASSERT_TRUE(blob.write(std::as_bytes(std::span(std::string_view("abc")))));
  auto layer = blob.finish(media::kModel, &promised);
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code, Code::kCorrupt);
  // SHA-256 of "abc", from FIPS 180-2.
  EXPECT_NE(layer.error().message.find(
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            std::string::npos);
  EXPECT_FALSE(temp.store().has_blob(promised));
  Manifest dangling{writer.put_text(media::kConfig, "{}").value(),
                    {Layer{std::string(media::kModel), promised, 3, {}}}};
  EXPECT_EQ(writer.write_manifest(name_of("x"), dangling).error().code, Code::kNotFound);
}

TEST(Store, DevicesAndPipesAreNoFiles) {
  TemporaryStore temp;
  StoreWriter writer = temp.store().begin_write().value();
  fs::path pipe = temp.root() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const fs::path& path : {fs::path("/dev/zero"), pipe, temp.root()}) {
    auto layer = writer.put_file(media::kModel, path);
    ASSERT_FALSE(layer) << path;
    EXPECT_EQ(layer.error().code, Code::kInvalid);
  }
}

TEST(Store, VerifyFindsAFlippedBitAndRepairRemovesWhatNeedsIt) {
  TemporaryStore temp;
  add_model(temp.store(), "sick", "some text of the sick model");
  add_model(temp.store(), "well", "some text of the other");
  EXPECT_TRUE(temp.store().verify(false)->problems.empty());
  Digest digest = temp.store().read(name_of("sick"))->manifest.layers[0].digest;
  std::fstream file(temp.store().blob_path(digest), std::ios::in | std::ios::out);
  file.seekp(3);
  file.put('e' ^ 4);
  file.close();
  VerifyReport report = temp.store().verify(false).value();
  ASSERT_EQ(report.problems.size(), 2u);
  EXPECT_EQ(report.problems[0].what, "blob " + digest.file_name());
  EXPECT_EQ(report.problems[1].what, "model sick:latest");
  report = temp.store().verify(true).value();
  for (const StoreProblem& problem : report.problems) EXPECT_TRUE(problem.repaired);
  EXPECT_TRUE(temp.store().verify(false)->problems.empty());
  EXPECT_FALSE(temp.store().has_blob(digest));
  ASSERT_EQ(temp.store().list()->size(), 1u);
  EXPECT_EQ(temp.store().list()->at(0).name.display(), "well:latest");
}

TEST(Store, SweepsOnlyWhatIsOldAndUnused) {
  TemporaryStore temp;
  add_model(temp.store(), "a", "used");
  fs::path blobs = temp.models() / "blobs";
  Layer orphan = temp.store().begin_write()->put_text(media::kModel, "orphan").value();
  Digest used = temp.store().read(name_of("a"))->manifest.layers[0].digest;
  for (std::string_view name : {"incoming.tmp-1-0", "sha256-x-partial", "notes.txt"})
    write_text(blobs / name, "x");
  age(temp.store().blob_path(used), std::chrono::hours(1000));
  ASSERT_TRUE(temp.store().sweep());
  EXPECT_EQ(files_in(blobs), 6u);  // nothing is old enough
  for (const fs::directory_entry& entry : fs::directory_iterator(blobs))
    age(entry.path(), std::chrono::hours(25));
  ASSERT_TRUE(temp.store().sweep());
  EXPECT_FALSE(temp.store().has_blob(orphan.digest));
  EXPECT_FALSE(fs::exists(blobs / "incoming.tmp-1-0"));
  EXPECT_TRUE(fs::exists(blobs / "sha256-x-partial"));  // a download may go on for two weeks
  EXPECT_TRUE(fs::exists(blobs / "notes.txt"));         // not ours
  EXPECT_TRUE(temp.store().has_blob(used));
  age(blobs / "sha256-x-partial", std::chrono::hours(24 * 15));
  {
    StoreWriter adding = temp.store().begin_write().value();
    ASSERT_TRUE(temp.store().sweep());
    EXPECT_TRUE(fs::exists(blobs / "sha256-x-partial"));  // not while somebody adds
  }
  ASSERT_TRUE(temp.store().sweep());
  EXPECT_FALSE(fs::exists(blobs / "sha256-x-partial"));
}

TEST(Store, FoldersThatMayNotBeWritten) {
  TemporaryStore temp;
  write_text(temp.root() / "home", "a file where the folder should be");
  auto writer = temp.store().begin_write();
  ASSERT_FALSE(writer);
  EXPECT_NE(writer.error().message.find(temp.root().string()), std::string::npos);
  // Another user; a process of its own, as root may write everywhere.
  fs::remove(temp.root() / "home");
  fs::permissions(temp.root(), fs::perms::owner_read | fs::perms::owner_exec);
  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    auto denied = temp.store().begin_write();
    _exit(!denied && denied.error().code == Code::kDenied ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  fs::permissions(temp.root(), fs::perms::owner_all);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Threads that write, copy, remove and read one store: readers never see half a manifest or a
// missing blob of a model that nobody removes, and in the end the store is whole.
TEST(Store, ManyThreadsAtOnce) {
  TemporaryStore temp;
  add_model(temp.store(), "stays", "stays");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) threads.emplace_back([&, t] {
    for (int i = 0; i < 20; ++i) {
      std::string name = fmt::format("m{}:{}", t % 3, i % 4);
      if (t < 4) {
        StoreWriter writer = temp.store().begin_write().value();
        Manifest manifest = put_model(writer, fmt::format("text {}", i % 5));
        wrong += !writer.write_manifest(name_of(name), manifest);
      } else if (t == 4) {
        auto removed = temp.store().remove({name_of(name)});
        wrong += !removed && removed.error().code != Code::kNotFound;
      }
      std::vector<StoreProblem> broken;
      wrong += !temp.store().list(&broken) || !broken.empty();
      auto model = temp.store().read(name_of("stays"));
      Digest digest = model.value().manifest.layers[0].digest;
      wrong += temp.store().read_text(digest).value_or("") != "stays";
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  VerifyReport report = temp.store().verify(false).value();
  for (const StoreProblem& problem : report.problems)
    ADD_FAILURE() << problem.what << ": " << problem.problem;
}

// Processes that are killed at any moment leave a store that verify calls clean.
TEST(Store, KilledWritersLeaveItClean) {
  TemporaryStore temp;
  add_model(temp.store(), "before", "was here");
  for (int round = 0; round < 12; ++round) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      std::string big(3 << 20, 'x');
      for (int i = 0;; ++i) {
        auto writer = temp.store().begin_write();
        if (!writer) _exit(1);
        auto weights = writer->put_text(media::kModel, big + std::to_string(i));
        Manifest manifest = put_model(*writer, std::to_string(i));
        manifest.layers.push_back(*weights);
        if (!writer->write_manifest(name_of("killed"), manifest)) _exit(1);
      }
    }
    usleep(static_cast<useconds_t>(4000 + 7919 * round % 40000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    VerifyReport report = temp.store().verify(false).value();
    EXPECT_TRUE(report.problems.empty())
        << report.problems[0].what << ": " << report.problems[0].problem;
    EXPECT_TRUE(temp.store().read(name_of("before")));
  }
  ASSERT_TRUE(temp.store().begin_write());  // no lock is left behind
}

}  // namespace
}  // namespace hearth
