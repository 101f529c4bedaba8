{
  "targets": [
    {
      "target_name": "shortlist_native",
      "sources": [
        "addon.cc",
        "core/audit.cc",
        "core/build.cc",
        "core/choose_codes.cc",
        "core/codes.cc",
        "core/equal_rows.cc",
        "core/export_hnswlib.cc",
        "core/filter_plan.cc",
        "core/graph_file.cc",
        "core/kernels.cc",
        "core/kernels_avx2.cc",
        "core/kernels_avx512.cc",
        "core/kernels_generic.cc",
        "core/memory.cc",
        "core/narrow_codes.cc",
        "core/neighbours.cc",
        "core/nibbles.cc",
        "core/points.cc",
        "core/scan.cc",
        "core/scan_pool.cc",
        "core/scan_tile.cc",
        "core/scorer.cc",
        "core/search.cc",
        "core/seen_nodes.cc",
        "core/threads.cc",
        "core/traverse.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++20", "-std=gnu++17"],
      "cflags_cc": ["-std=c++17", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra"],
      "conditions": [
        [
          "OS=='mac'",
          {
            "xcode_settings": {
              "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
              "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
              "GCC_OPTIMIZATION_LEVEL": "3",
              "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
              "MACOSX_DEPLOYMENT_TARGET": "11.0",
              "OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=off"]
            }
          }
        ]
      ]
    }
  ]
}
