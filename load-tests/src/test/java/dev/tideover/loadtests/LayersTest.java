package dev.tideover.loadtests;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(
    packages = "dev.tideover.loadtests",
    importOptions = ImportOption.DoNotIncludeTests.class)
class LayersTest {

  @ArchTest
  static final ArchRule measuresTideoverFromOutside =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.loadtests..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.tideover.gateway..",
              "dev.tideover.sdk..",
              "dev.tideover.demo..",
              "dev.tideover.spring..",
              "dev.tideover.forwarder..");

  @ArchTest
  static final ArchRule theClientKnowsNoServer =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.loadtests.client..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "io.vertx..",
              "org.apache.kafka..",
              "dev.tideover.loadtests.bare..",
              "dev.tideover.loadtests.bench..");

  @ArchTest
  static final ArchRule theBareProgramsHaveNothingOfTideover =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.loadtests.bare..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.tideover.wire..", "dev.tideover.loadtests.bench..");

  @ArchTest
  static final ArchRule whatTheSdkIsComparedWithHasNothingOfTideover =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.loadtests.contender..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.tideover.wire..",
              "dev.tideover.loadtests.bench..",
              "dev.tideover.loadtests.drain..");

  /** It runs with another kafka-clients than the rest, so nothing may load it but its process. */
  @ArchTest
  static final ArchRule onlyThePeersProcessHasParallelConsumer =
      noClasses()
          .that()
          .doNotHaveSimpleName("ParallelConsumerPeer")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.confluent..");
}
