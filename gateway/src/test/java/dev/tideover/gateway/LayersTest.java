package dev.tideover.gateway;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Holds who may import whom (docs/architecture.md). */
@AnalyzeClasses(
    packages = "dev.tideover.gateway",
    importOptions = ImportOption.DoNotIncludeTests.class)
class LayersTest {

  @ArchTest
  static final ArchRule aRequestGoesOneWay =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("assembly")
          .definedBy("dev.tideover.gateway", "dev.tideover.gateway.cli")
          .layer("http")
          .definedBy("dev.tideover.gateway.http")
          .layer("exchange")
          .definedBy("dev.tideover.gateway.exchange")
          .layer("release")
          .definedBy("dev.tideover.gateway.release")
          .layer("route")
          .definedBy("dev.tideover.gateway.route")
          .layer("kafka")
          .definedBy("dev.tideover.gateway.kafka")
          .layer("config")
          .definedBy("dev.tideover.gateway.config")
          .whereLayer("assembly")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("http")
          .mayOnlyBeAccessedByLayers("assembly")
          .whereLayer("exchange")
          .mayOnlyBeAccessedByLayers("http", "assembly")
          .whereLayer("release")
          .mayOnlyBeAccessedByLayers("http", "assembly")
          .whereLayer("route")
          .mayOnlyBeAccessedByLayers("exchange", "assembly")
          .whereLayer("kafka")
          .mayOnlyBeAccessedByLayers("exchange", "release", "assembly")
          .whereLayer("config")
          .mayNotAccessAnyLayer();

  @ArchTest
  static final ArchRule kafkaKnowsNoVertx =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.gateway.kafka")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.vertx..", "io.netty..");

  @ArchTest
  static final ArchRule releasesKnowNoVertx =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.gateway.release")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.vertx..", "io.netty..");

  @ArchTest
  static final ArchRule routesKnowNeitherServersNorKafka =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.gateway.route")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.vertx..", "io.netty..", "org.apache.kafka..");

  @ArchTest
  static final ArchRule theConfigurationIsPlainData =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.gateway.config")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.vertx..", "io.netty..", "org.apache.kafka..");

  @ArchTest
  static final ArchRule onlyHttpSeesHttpServers =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.tideover.gateway.http")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.vertx.core.http..", "io.netty..");

  @ArchTest
  static final ArchRule onlyKafkaTouchesKafkasClients =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.tideover.gateway.kafka")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("org.apache.kafka..");

  @ArchTest
  static final ArchRule theGatewayNeedsNeitherTheSdkNorTheTestkit =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.tideover.sdk..",
              "dev.tideover.testkit..",
              "dev.tideover.demo..",
              "dev.tideover.loadtests..");

  @ArchTest
  static final ArchRule ofOursTheGatewayUsesOnlyTheWireFormat =
      classes()
          .should()
          .onlyDependOnClassesThat(
              com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage(
                      "dev.tideover.gateway..", "dev.tideover.wire")
                  .or(
                      com.tngtech.archunit.base.DescribedPredicate.not(
                          com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage(
                              "dev.tideover..")))
                  .as("are the gateway's, the wire format's or of other projects"));

  @ArchTest
  static final ArchRule noPackagesInACircle =
      slices().matching("dev.tideover.gateway.(*)").should().beFreeOfCycles();
}
