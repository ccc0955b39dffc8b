// Ollama's routes that need only the store of models. Everything here waits for the disk, so that a
// server calls it off its thread of input and output; but for that and for what the classes say,
// any thread may call. Replies have the status and the JSON that Ollama's server would give; no
// name from a request is ever taken for a path.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "api/native.h"
#include "api/ollama.h"
#include "base/json.h"
#include "registry/store.h"

namespace hearth::api {

// GET /api/tags: the models, newest first. Those that cannot be read are left out, with a warning.
ApiReply ollama_tags(const Store& store);

// POST /api/show {model | name, verbose, system, options}. `capabilities` are those that requests
// can use here: tools and images follow when requests may carry them.
ApiReply ollama_show(const Store& store, const Json& body);

// POST /api/copy {source, destination}, DELETE /api/delete {model | name}; empty bodies.
ApiReply ollama_copy(const Store& store, const Json& body);
ApiReply ollama_remove(const Store& store, const Json& body);

// The name of a model in the body of a delete, create or show, for who must let it go from memory;
// empty where there is none.
std::string ollama_model_of(const Json& body);

// HEAD /api/blobs/{digest}: 200, 404, or 400 for what is no digest.
ApiReply ollama_blob_exists(const Store& store, std::string_view digest);

// POST /api/blobs/{digest}: bytes come in pieces and go to a temporary file, which is gone if the
// upload breaks off. No lock is held while the client is slow. One thread at a time.
//
//   auto upload = BlobUpload::begin(store, digest);   // unexpected: 200 when it is there, 400, ...
//   while (...) if (auto written = upload->write(bytes); !written) return written.error();
//   return upload->finish();                          // 201, or 400 for other bytes
class BlobUpload {
 public:
  static std::expected<BlobUpload, ApiReply> begin(const Store& store, std::string_view digest);
  std::expected<void, ApiReply> write(std::span<const std::byte> bytes);
  ApiReply finish();

 private:
  BlobUpload(Store store, Digest digest, BlobWriter blob)
      : store_(std::move(store)), digest_(std::move(digest)), blob_(std::move(blob)) {}
  Store store_;
  Digest digest_;
  BlobWriter blob_;
};

// Gets a line of JSON without its newline.
using LineSink = std::function<void(std::string line)>;

// POST /api/create {model | name, from, files, adapters, template, license, system, parameters,
// messages}. `progress` gets the lines before the last; the reply is the last one, {"status":
// "success"} or an error. Where an error comes before any line, its status is to be the answer's.
ApiReply ollama_create(const Store& store, const Json& body, const LineSink& progress);

// Whether a request of create or pull wants lines: `stream` absent, null or true.
bool ollama_streams(const Json& body);

// What lists say of a stored model, from its config blob; kNotFound, kCorrupt.
Result<OllamaDetails> ollama_details(const Store& store, const Manifest& manifest);

// The body of /api/tags, kept until the store changes. Whether it did is looked up by the times of
// its manifests, at most every 50 ms and for at most a twentieth of the time. One thread at a time.
class TagsCache {
 public:
  explicit TagsCache(Store store) : store_(std::move(store)) {}
  const ApiReply& reply();
  const std::string& body() { return reply().body; }
  // What is known is forgotten: the next call reads the store.
  void invalidate() { known_ = false; }

 private:
  Store store_;
  ApiReply reply_;
  bool known_ = false;
  uint64_t fingerprint_ = 0;  // of names, sizes and times of the manifests
  std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace hearth::api
