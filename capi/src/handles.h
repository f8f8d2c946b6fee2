// This file is the only place that says what the handles are that several files of this folder share.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "capi/src/guard.h"
#include "core/client/blob_writer.h"
#include "core/client/meta_builder.h"
#include "core/client/object_view.h"

struct vineyard_blob_writer {
  std::shared_ptr<vineyard::client::BlobWriter> writer;
};

struct vineyard_meta {
  std::shared_ptr<vineyard::client::MetaBuilder> builder;
};

struct vineyard_object {
  explicit vineyard_object(std::unique_ptr<vineyard::client::ObjectView> object)
      : view(std::move(object)) {}
  ~vineyard_object() { delete tensor.load(std::memory_order_acquire); }
  std::unique_ptr<vineyard::client::ObjectView> view;

  // Of vineyard_object_tensor(), made at its first call. Without a lock, which a child might find taken.
  struct Tensor {
    ~Tensor() {
      if (buffer != nullptr) vineyard::client::ReleaseView(buffer);
    }
    vineyard::client::View* buffer = nullptr;
    std::vector<int64_t> shape;
  };
  std::atomic<const Tensor*> tensor{nullptr};
};
