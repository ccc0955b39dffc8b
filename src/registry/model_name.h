// ModelName and Digest: the two things that become paths of the store. Both exist only after
// their grammar was checked, so that no text from outside ever reaches a path.
#pragma once

#include <compare>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth {

// [host/][namespace/]name[:tag]; host may carry a port. Each part begins with a letter, a digit or
// '_' and goes on with those, '-' and '.' (no '.' in a namespace); ".." appears nowhere. At most
// 350 bytes of host and 80 of each other part.
class ModelName {
 public:
  static constexpr std::string_view kDefaultHost = "registry.ollama.ai";
  static constexpr std::string_view kDefaultNamespace = "library";
  static constexpr std::string_view kDefaultTag = "latest";

  // Missing parts take the defaults; a leading https:// is dropped. kInvalid says what is wrong.
  static Result<ModelName> parse(std::string_view text);
  // From parts that are all there, such as the folders of an existing store.
  static Result<ModelName> from_parts(std::string host, std::string name_space, std::string name,
                                      std::string tag);

  const std::string& host() const { return host_; }
  const std::string& name_space() const { return namespace_; }
  const std::string& name() const { return name_; }
  const std::string& tag() const { return tag_; }

  // "smollm2:latest": default host and namespace are left out, the tag never is.
  std::string display() const;
  std::string full() const;                // all four parts
  std::filesystem::path relative() const;  // host/namespace/name/tag

  auto operator<=>(const ModelName&) const = default;

 private:
  std::string host_, namespace_, name_, tag_;
};

// Equal but for the case of ASCII letters.
bool same_name(std::string_view a, std::string_view b);

// The SHA-256 of a blob.
class Digest {
 public:
  // "sha256:HEX", "sha256-HEX" or HEX of 64 digits; kInvalid otherwise.
  static Result<Digest> parse(std::string_view text);

  const std::string& hex() const { return hex_; }             // 64 lower-case digits
  std::string text() const { return "sha256:" + hex_; }       // as manifests have it
  std::string file_name() const { return "sha256-" + hex_; }  // under blobs/
  std::string brief() const { return hex_.substr(0, 12); }

  auto operator<=>(const Digest&) const = default;

 private:
  explicit Digest(std::string hex) : hex_(std::move(hex)) {}
  std::string hex_;
};

}  // namespace hearth
