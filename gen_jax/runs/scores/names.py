"""The anomaly scores that a person may ask for, each with what it is. No JAX, so that help answers at once."""

SAID = {
    "model": "the model's own score",
    "reconstruction": "squared error of the reconstruction",
    "blurred_reconstruction": "the same after a blur of one pixel, which noise of single pixels does not survive",
    "elbo": "minus the ELBO",
    "nll": "minus log p(x) by importance samples (IWAE)",
    "reconstruction_probability": "minus E_q log p(x|z) (An & Cho 2015)",
    "logit": "minus the discriminator's logit",
    "feature_distance": "from x to its reconstruction, in the discriminator's features",
    "f_anogan": "residual and feature distance (Schlegl et al. 2019)",
    "alad": "L1 distance of features, to the reconstruction (Zenati et al. 2018)",
    "anogan": "the same of the nearest sample that gradient descent on z finds (Schlegl et al. 2017)",
    "regret": "likelihood regret: ELBO under the best q(z) for x, minus the ELBO (Xiao et al. 2020)",
    "ratio": "ELBO of --background's model minus the ELBO (Ren et al. 2019)",
    "complexity": "minus log p(x) minus zlib's code length (Serrà et al. 2020)",
    "latent_knn": "distance to the 5th nearest training code",
    "residual_knn": "log of the squared error and of the squared distance to the 5th nearest training example",
    "blurred_residual_knn": "the same of blurred residuals and images",
    "pca": "floor: squared error of 32 principal components",
    "knn": "floor: distance to the 5th nearest training example",
    "blurred_pca": "floor: pca's residual, blurred",
    "blurred_knn": "floor: knn among blurred images",
    "zlib": "floor: minus zlib's code length",
}
NAMES = tuple(SAID)
