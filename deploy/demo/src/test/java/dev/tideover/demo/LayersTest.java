package dev.tideover.demo;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The demo may import anything of ours; inside it, its parts are fenced. */
@AnalyzeClasses(packages = "dev.tideover.demo", importOptions = DoNotIncludeTests.class)
class LayersTest {
  @ArchTest
  static final ArchRule ONLY_SERVICES_EMBED_THE_SDK =
      noClasses()
          .that()
          .haveNameNotMatching(
              ".*\\.(OrdersService|EchoService|DrainService|OnceService|DrillService)(\\$.*)?")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.tideover.sdk..");

  @ArchTest
  static final ArchRule THE_SDKS_INSIDE_IS_CLOSED =
      noClasses().should().dependOnClassesThat().resideInAPackage("dev.tideover.sdk.internal..");

  @ArchTest
  static final ArchRule THE_VERDICT_JUDGES_WITHOUT_NETWORK_OR_KAFKA =
      noClasses()
          .that()
          .haveSimpleName("Verdict")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.vertx..", "org.apache.kafka..", "dev.tideover.sdk..");
}
